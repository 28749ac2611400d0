"""Keys and passwords have no place in a config: they come from the environment alone, and no message shows them."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit


def secret_mistakes(section: str, address_key: str, address: str, key_variable: str) -> Iterator[str]:
    """Yield a line for an address that holds a key or password, and for a key in place of a variable's name.

    Args:
        section: where the endpoint is described, e.g. ``evaluation.judge``.
        address_key: the key of that section which holds ``address``.
        address: where the endpoint is asked.
        key_variable: what should be the name of an environment variable.
    """
    parts = urlsplit(address)
    if parts.username or parts.password or parts.query:
        yield (
            f"{section}.{address_key}: an address must hold no key or password (not shown here); "
            "put it into the environment variable that key_variable names"
        )
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key_variable):
        yield f"{section}.key_variable: expected the name of an environment variable, not the key (not shown)"
