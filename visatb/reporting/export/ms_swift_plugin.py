"""A plugin of ms-swift: the weight of a sample's task multiplies all tokens that it is trained on.

By itself, ms-swift multiplies the text of an answer with its ``loss_scale``, and not the end-of-turn token after it,
which of an answer of one word is half of the tokens.
"""

from typing import Any

from swift.loss_scale import LossScale
from swift.loss_scale.mapping import loss_scale_map


class TaskWeight(LossScale):
    """Multiplies the losses that ``default`` would count with the ``loss_scale`` of the sample's answers."""

    is_binary = False

    def __call__(
        self, context_list: list[Any], context_types: list[Any], messages: list[dict[str, Any]], **kwargs: Any
    ) -> tuple[list[Any], list[float]]:
        """Return the pieces of a conversation, and what the loss of each one's tokens is multiplied by."""
        weights = [message["loss_scale"] for message in messages if message.get("loss_scale") is not None]
        plain = [{key: value for key, value in message.items() if key != "loss_scale"} for message in messages]
        pieces, scales = super().__call__(context_list, context_types, plain, **kwargs)
        return pieces, [scale * weights[0] if weights else scale for scale in scales]


loss_scale_map["visatb"] = TaskWeight
