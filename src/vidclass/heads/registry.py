"""The table of heads: models over time, from features and mask to logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vidclass.errors import ConfigError, WeightsError, require_choice

if TYPE_CHECKING:
    import keras

# Goes up when a head with the same weights begins to give other numbers.
REVISION = 1

HeadBuilder = Callable[[int, int, int], "keras.Model"]

_heads: dict[str, HeadBuilder] = {}


def head(build: HeadBuilder) -> HeadBuilder:
    """Register a head under its function's name.

    The function takes T, D and K and returns a model with the inputs `features` (B,T,D) float32
    and `mask` (B,T) bool and the output logits (B,K).  Padding must never change an answer, and a
    clip with no real frame at all must give finite logits.
    """
    name = build.__name__
    if name in _heads:
        raise ConfigError(f"head {name!r} is registered twice")
    _heads[name] = build
    return build


def heads() -> dict[str, HeadBuilder]:
    """Every head by name; loads Keras."""
    import vidclass.heads.models

    del vidclass
    return dict(_heads)


def build_head(name: str, frames: int, width: int, classes: int) -> keras.Model:
    """The untrained head `name` for T frames, features of width D and K classes.

    Raises:
        ConfigError: there is no such head; the message names the nearest.
    """
    table = heads()
    return table[require_choice("head", name, table)](frames, width, classes)


def load_head(name: str, frames: int, width: int, classes: int, weights: str) -> keras.Model:
    """The head `name` with trained weights; the form in which a child process builds it.

    Raises:
        WeightsError: the file does not hold weights of this head.
    """
    model = build_head(name, frames, width, classes)
    try:
        model.load_weights(weights)
    except Exception as error:  # h5py and Keras raise many kinds for a file that does not fit
        raise WeightsError(
            f"{weights} does not hold weights of the head {name}: {error}"
        ) from error
    return model
