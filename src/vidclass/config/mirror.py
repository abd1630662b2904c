"""Settings of mirror images: clips to learn from, and labels that change with left and right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from vidclass.config.base import FrozenConfig
from vidclass.errors import ConfigError


def _require_distinct(pairs: dict[str, str]) -> dict[str, str]:
    names = [name for pair in pairs.items() for name in pair]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{repeated} more than once: give each pair once, of two labels")
    return pairs


SwapLabels = Annotated[dict[str, str], AfterValidator(_require_distinct)]


class MirrorConfig(FrozenConfig):
    """Base of settings with mirror images.

    `flip`: learn from mirror images of clips, too.
    `swap_labels`: pairs of labels that a mirror image exchanges, as in `{"left": "right"}`; each
    label is in one pair at most.
    """

    flip: bool = False
    swap_labels: SwapLabels = {}

    @model_validator(mode="after")
    def _swaps_need_flips(self) -> Self:
        if self.swap_labels and not self.flip:
            raise ValueError(f"swap_labels={self.swap_labels} is used only with flip=True")
        return self


def parse_swap_labels(texts: Iterable[str]) -> dict[str, str]:
    """Parse pairs of labels such as `left=right`; blanks around a label are dropped.

    >>> parse_swap_labels(["left = right", "up=down"])
    {'left': 'right', 'up': 'down'}

    Raises:
        ConfigError: A text has another form, or a label is in two pairs.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        left, _, right = (part.strip() for part in text.partition("="))
        if not (left and right):
            raise ConfigError(f"swap_labels={text!r}: write two labels, as in left=right.")
        if left in pairs:
            raise ConfigError(f"swap_labels={text!r}: {left!r} is in another pair, too.")
        pairs[left] = right
    return pairs
