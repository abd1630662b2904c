"""The table of heads: models over time, from features and mask to logits."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidclass.backbones.keras_weights import zero_initialisers
from vidclass.config import TrainingConfig
from vidclass.errors import ConfigError, WeightsError, require_choice

if TYPE_CHECKING:
    import keras

# Increased when a head with the same weights begins to give other numbers.
REVISION = 1

HeadBuilder = Callable[..., "keras.Model"]

_BUILT_IN = ("linear", "recurrent", "sequence")


@dataclass(frozen=True)
class Head:
    """A kind of model over time.

    Attributes:
        build: Function from T, D, K, and settings by keyword, to an untrained model.
        causal: Its state at a step depends on no later step, so it can follow a live stream.
        ordered: Its output depends on the order of the frames.
        independent: Its logits of different classes are independent, so a sigmoid of each is a
            probability: it can learn several labels a clip.
        training: Default training settings.
    """

    build: HeadBuilder
    causal: bool
    ordered: bool
    independent: bool = True
    training: TrainingConfig = TrainingConfig()

    @property
    def name(self) -> str:
        """Public name: that of its function."""
        return str(self.build.__name__)

    @property
    def summary(self) -> str:
        """First line of its description."""
        return (inspect.getdoc(self.build) or "").splitlines()[0]

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that may follow its name in brackets, with their defaults."""
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


_heads: dict[str, Head] = {}


def head(
    *,
    causal: bool,
    ordered: bool,
    independent: bool = True,
    training: TrainingConfig = TrainingConfig(),  # noqa: B008  # frozen
) -> Callable[[HeadBuilder], HeadBuilder]:
    """Register a head under its function's name; see `Head` for the arguments.

    The function takes T, D and K and returns a model with the inputs `features` (B,T,D) float32
    and `mask` (B,T) bool and the output logits (B,K).  Padding must not change the logits, and a
    clip without any real frame must give finite ones; `vidclass.testing.check_head` tests that.
    Keyword-only parameters with defaults are its settings.

    Raises:
        ConfigError: the name is taken.
    """

    def register(build: HeadBuilder) -> HeadBuilder:
        entry = Head(build, causal, ordered, independent, training)
        if entry.name in _heads:
            raise ConfigError(f"head {entry.name!r} is registered twice")
        _heads[entry.name] = entry
        return build

    return register


def unregister_head(name: str) -> None:
    """Remove a head from the table, for tests and for notebooks that define one again.

    Raises:
        ConfigError: there is no such head.
    """
    del _heads[require_choice("head", name, heads())]


def heads() -> dict[str, Head]:
    """Return every head by name; loads Keras."""
    for module in _BUILT_IN:
        import_module(f"vidclass.heads.{module}")
    return dict(_heads)


def head_name(text: str) -> str:
    """Return the name in front of the settings.

    >>> head_name("gru(units=32)")
    'gru'
    """
    return text.split("(", 1)[0].strip()


def parse_head(text: str) -> tuple[Head, dict[str, Any]]:
    """Return a head and its settings, from `gru` or `gru(units=32, dropout=0.2)`.

    Raises:
        ConfigError: there is no such head or setting, or a value is not of its kind.
    """
    table = heads()
    entry = table[require_choice("head", head_name(text), table)]
    if text.strip() == entry.name:
        return entry, {}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("settings have names")
        settings = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"head={text!r} cannot be read: write settings as {entry.name}(name=number, ...)."
        ) from error
    for name, value in settings.items():
        require_choice(f"setting of the head {entry.name!r}", name, entry.settings)
        default = entry.settings[name]
        wrong = isinstance(value, bool) or not isinstance(value, (int, type(default)))
        if wrong or value < 0 or (isinstance(default, int) and value == 0):
            kind = "whole number from 1" if isinstance(default, int) else "number from 0"
            raise ConfigError(f"head={text!r}: {name}={value!r} must be a {kind}.")
    return entry, settings


def build_head(name: str, frames: int, width: int, classes: int) -> keras.Model:
    """Build the untrained head `name` for T frames, features of width D and K classes.

    Args:
        name: A head's name, with settings if wanted: `gru`, `gru(units=32)`.
        frames: T.
        width: D.
        classes: K.

    Raises:
        ConfigError: there is no such head or setting; the message names the nearest.
    """
    entry, settings = parse_head(name)
    try:
        return entry.build(frames, width, classes, **settings)
    except ValueError as error:  # raised by Keras for a number that a layer cannot take
        raise ConfigError(f"head={name!r} cannot be built: {error}") from error


def defining_module(name: str) -> str:
    """Return the module to import in another process before the head `name` can be built there.

    Raises:
        ConfigError: the head is defined in the script that runs, which no process can import.
    """
    module = str(parse_head(name)[0].build.__module__)
    if module == "__main__":
        raise ConfigError(
            f"head {head_name(name)!r} is defined in the script that runs. Other processes have to "
            "import it: move it into a module beside the script, and import it from there."
        )
    return module


def load_head(
    name: str, frames: int, width: int, classes: int, weights: str, *, module: str = ""
) -> keras.Model:
    """Build the head `name` with trained weights.

    Args:
        name: As for `build_head`.
        frames: T.
        width: D.
        classes: K.
        weights: Weights file (.weights.h5).
        module: Module that registers the head, imported first: see `defining_module`.

    Raises:
        WeightsError: the file does not hold weights of this head.
    """
    if module:
        import_module(module)
    with zero_initialisers():
        model = build_head(name, frames, width, classes)
    try:
        model.load_weights(weights)
    except Exception as error:  # h5py and Keras raise many kinds for a file that does not fit
        raise WeightsError(
            f"{weights} does not hold weights of the head {name}: {error}"
        ) from error
    return model
