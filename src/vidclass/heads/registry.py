"""The table of heads: models over time, from features and mask to logits."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidclass.errors import ConfigError, WeightsError, require_choice

if TYPE_CHECKING:
    import keras

# Goes up when a head with the same weights begins to give other numbers.
REVISION = 1

HeadBuilder = Callable[..., "keras.Model"]


@dataclass(frozen=True)
class Head:
    """One kind of model over time.

    Attributes:
        build: From T, D, K, and settings by keyword, to an untrained model.
        causal: What it makes of a moment depends on no later one, so that it can follow a live
            picture without waiting.
        ordered: The order of the frames matters to it.
        independent: Its logits of different classes are free of one another, so that a sigmoid of
            each is a probability: it can learn several labels a clip.
    """

    build: HeadBuilder
    causal: bool
    ordered: bool
    independent: bool = True

    @property
    def name(self) -> str:
        """Its public name: that of its function."""
        return str(self.build.__name__)

    @property
    def what(self) -> str:
        """The first line of its description."""
        return (inspect.getdoc(self.build) or "").splitlines()[0]

    @property
    def settings(self) -> dict[str, Any]:
        """What can be set in brackets after its name, with the defaults."""
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


_heads: dict[str, Head] = {}


def head(
    *, causal: bool, ordered: bool, independent: bool = True
) -> Callable[[HeadBuilder], HeadBuilder]:
    """Register a head under its function's name.

    The function takes T, D and K and returns a model with the inputs `features` (B,T,D) float32
    and `mask` (B,T) bool and the output logits (B,K).  Padding must never change an answer, and a
    clip with no real frame at all must give finite logits.  Keyword-only parameters with defaults
    are its settings.
    """

    def register(build: HeadBuilder) -> HeadBuilder:
        found = Head(build, causal, ordered, independent)
        if found.name in _heads:
            raise ConfigError(f"head {found.name!r} is registered twice")
        _heads[found.name] = found
        return build

    return register


def heads() -> dict[str, Head]:
    """Every head by name; loads Keras."""
    import vidclass.heads.linear
    import vidclass.heads.recurrent
    import vidclass.heads.sequence

    del vidclass
    return dict(_heads)


def head_name(text: str) -> str:
    """The name in front of the settings.

    >>> head_name("gru(units=32)")
    'gru'
    """
    return text.split("(", 1)[0].strip()


def parse_head(text: str) -> tuple[Head, dict[str, Any]]:
    """A head and its settings, from its name alone or as `gru(units=32, dropout=0.2)`.

    Raises:
        ConfigError: there is no such head or setting, or a value is not of its kind.
    """
    table = heads()
    found = table[require_choice("head", head_name(text), table)]
    if text.strip() == found.name:
        return found, {}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("settings have names")
        given = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"head={text!r} cannot be read: write settings as {found.name}(name=number, ...)."
        ) from error
    for name, value in given.items():
        require_choice(f"setting of the head {found.name!r}", name, found.settings)
        default = found.settings[name]
        wrong = isinstance(value, bool) or not isinstance(value, (int, type(default)))
        if wrong or value < 0 or (isinstance(default, int) and value == 0):
            kind = "whole number from 1" if isinstance(default, int) else "number from 0"
            raise ConfigError(f"head={text!r}: {name}={value!r} must be a {kind}.")
    return found, given


def build_head(name: str, frames: int, width: int, classes: int) -> keras.Model:
    """The untrained head `name` for T frames, features of width D and K classes.

    Args:
        name: A head's name, with settings if wanted: `gru`, `gru(units=32)`.
        frames: T.
        width: D.
        classes: K.

    Raises:
        ConfigError: there is no such head or setting; the message names the nearest.
    """
    found, settings = parse_head(name)
    try:
        return found.build(frames, width, classes, **settings)
    except ValueError as error:  # Keras's word for a number that a layer cannot take
        raise ConfigError(f"head={name!r} cannot be built: {error}") from error


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
