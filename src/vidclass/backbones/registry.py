"""The table of backbones: every pretrained network from frames to features, by public name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from vidclass.backbones import hugging_face, i3d_weights
from vidclass.backbones.facts import Description
from vidclass.backbones.keras_applications import APPLICATIONS, licence
from vidclass.backbones.lite_weights import LITES
from vidclass.errors import ConfigError, require_choice

Framework = Literal["keras", "torch"]


@dataclass(frozen=True)
class Backbone:
    """A network from RGB frames in [0, 255] to features.

    Attributes:
        name: Its public name.
        size: The side of its square input, in pixels, that its weights were trained for.
        width: D, the width of its features.
        parameters: The number of its parameters, without a classifier.
        module: The module whose function `build(name, size, weights)` makes the model, whose
            `weights_id(name, weights)` tells one set of weights from another, and whose
            `weights_state(name)` and `weights_source(name)` tell of its published weights,
            which are called `pretrained` for every network.
        window: How many successive frames it sees at once.  For more than one its input is
            (B,window,H,W,3), and `build` is given `window` too.
        licence: Of its published weights, as far as their source states it.
        framework: Whose model it is: `keras`, or `torch` for a module that takes uint8 frames.
        reference: The back end of Keras that its other forms are compared with.
    """

    name: str
    size: int
    width: int
    parameters: int
    module: str
    window: int = 1
    licence: str = ""
    framework: Framework = "keras"
    reference: Literal["numpy", "jax"] = "numpy"

    def build(self, *, size: int, weights: str) -> Any:
        """The model with its weights; one of Keras in Keras's current image data format.

        Raises:
            WeightsError: the weights are missing or not this network's.
        """
        build: Callable[..., Any] = import_module(self.module).build
        more = {"window": self.window} if self.window > 1 else {}
        return build(self.name, size=size, weights=weights, **more)

    def weights_id(self, weights: str) -> str:
        """A short text that changes when the numbers in the weights change."""
        identify: Callable[[str, str], str] = import_module(self.module).weights_id
        return identify(self.name, weights)

    @property
    def weights_state(self) -> str:
        """Of its published weights: `at hand`, `to be installed` or `to be fetched`."""
        state: Callable[[str], str] = import_module(self.module).weights_state
        return state(self.name)

    @property
    def weights_source(self) -> str:
        """How its published weights come to this machine, in a few words."""
        source: Callable[[str], str] = import_module(self.module).weights_source
        return source(self.name)


def _table() -> dict[str, Backbone]:
    families: dict[str, Mapping[str, Any]] = {
        "lite_weights": LITES,
        "keras_applications": APPLICATIONS,
        "i3d_weights": i3d_weights.BACKBONES,
    }
    keras = {
        name: Backbone(
            name,
            facts.size,
            facts.width,
            facts.parameters,
            f"vidclass.backbones.{module}",
            window=i3d_weights.WINDOW if module == "i3d_weights" else 1,
            licence=licence(name) if module == "keras_applications" else "Apache-2.0",
        )
        for module, family in families.items()
        for name, facts in family.items()
    }
    torch = {
        name: Backbone(
            name,
            alias.size,
            alias.width,
            alias.parameters,
            hugging_face.__name__,
            window=alias.window,
            licence=alias.licence,
            framework="torch",
        )
        for name, alias in hugging_face.ALIASES.items()
    }
    return keras | torch


backbones: dict[str, Backbone] = _table()

# What stands before a colon, the module of these models, and whose models they are.
PREFIXES: dict[str, tuple[str, Framework]] = {
    "hf": ("vidclass.backbones.hugging_face", "torch"),
    "timm": ("vidclass.backbones.timm_models", "torch"),
    "hub": ("vidclass.backbones.keras_hub_models", "keras"),
}


def get_backbone(name: str) -> Backbone:
    """The backbone of that name, or the one behind `hf:`, `timm:` or `hub:` and where to find it.

    Raises:
        ConfigError: there is none; the message names the nearest.  Or a library is missing.
        WeightsError: the settings of a model behind a prefix cannot be had.
    """
    family, colon, place = name.partition(":")
    if colon and place:
        return _behind_prefix(require_choice("family of backbones", family, PREFIXES), name)
    return backbones[require_choice("backbone", name, backbones)]


def _behind_prefix(family: str, name: str) -> Backbone:
    module, framework = PREFIXES[family]
    describe: Callable[[str], Description] = import_module(module).describe
    described = describe(name)
    return Backbone(
        name,
        described.size,
        described.facts.width,
        described.facts.parameters,
        module,
        window=described.window,
        licence=described.licence,
        framework=framework,
        # To learn the shapes of KerasHub's layers, Keras runs them on 83 pictures under NumPy.
        reference="jax" if framework == "keras" else "numpy",
    )


def build_backbone(name: str, size: int, weights: str, window: int = 1) -> Any:
    """The model of a backbone; the form in which a child process is told to build it.

    Raises:
        ConfigError: there is no such backbone, or it has another window.
    """
    backbone = get_backbone(name)
    if window != backbone.window:
        raise ConfigError(f"window={window}: {name} sees {backbone.window} frames at once")
    return backbone.build(size=size, weights=weights)
