"""Money that requests may cost: counted from the replies that are kept, reserved before a request is begun."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from visatb.config.endpoints import longest_reply
from visatb.endpoints.endpoint import Endpoint
from visatb.errors import VisatbError
from visatb.runtime.files import read_json

MESSAGE_TOKENS = 64
"""What the frame of two messages may add to the tokens of their texts."""


def dearest(endpoint: Endpoint, text: str, with_picture: bool) -> float:
    """Return the most that a request can cost: a token has at least one byte, and the reply its full length.

    A picture counts as ``endpoint.image_tokens``. 0 without prices.
    """
    if endpoint.prices is None:
        return 0.0
    longest = longest_reply(endpoint.parameters)
    if longest is None:
        raise VisatbError(f"{endpoint.section}.parameters: a price needs max_tokens, the longest reply; add it")
    prompt_tokens = (
        len(json.dumps(text, ensure_ascii=False).encode()) + MESSAGE_TOKENS + with_picture * endpoint.image_tokens
    )
    return (prompt_tokens * endpoint.prices[0] + longest * endpoint.prices[1]) / 1e6


def spent_in(folder: str | Path) -> float:
    """Return what all replies below a folder have cost."""
    return sum(float(read_json(path).get("cost") or 0) for path in sorted(Path(folder).rglob("*.json")))


class Budget:
    """A limit that costs stay below: a request waits while those under way might use up what is left.

    Args:
        limit: what all requests may cost together, those of earlier calls included.
        spent: what earlier calls have cost.
    """

    def __init__(self, limit: float, spent: float) -> None:
        self.limit, self.spent, self._reserved = limit, spent, 0.0
        self._settled = asyncio.Condition()

    async def reserve(self, cost: float, endpoint: Endpoint, stopped: Callable[[], bool]) -> None:
        """Wait until ``cost`` fits.

        Raises:
            VisatbError: it does not, with nothing under way that could turn out cheaper than it was reserved for.
        """
        async with self._settled:
            while self.spent + self._reserved + cost > self.limit and self._reserved > 0 and not stopped():
                await self._settled.wait()
            if self.spent + self._reserved + cost > self.limit:
                raise VisatbError(
                    f"budget: {self.limit:g} are allowed and {self.spent:.6g} spent; the next request to "
                    f"{endpoint.role} may cost {cost:.3g}. Raise the budget and give the same command again"
                )
            self._reserved += cost

    async def settle(self, reserved: float, cost: float) -> None:
        """Replace what was reserved by what it did cost."""
        async with self._settled:
            self._reserved = max(self._reserved - reserved, 0.0)
            self.spent += cost
            self._settled.notify_all()
