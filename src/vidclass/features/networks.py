"""The network that a feature setting asks for, by the fastest route that gives Keras's numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig
from vidclass.errors import RuntimeRouteError
from vidclass.runtime.recipe import NetworkRecipe

# Changes when the same settings begin to give other features.
FEATURE_FORMAT = 1


class Network(Protocol):
    """Something that runs a network on named inputs, the first axis being the batch."""

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The one output."""
        ...


@dataclass(frozen=True)
class OpenedNetwork:
    """A network, the way it runs, and why it does not run the faster way."""

    network: Network
    route: Literal["openvino", "keras"]
    reason: str = ""


@dataclass(frozen=True)
class FeatureMaker:
    """Whatever makes features: a backbone of this machine, or the one inside a bundle.

    Attributes:
        config: Backbone, weights, sampling and geometry.
        fingerprint: A key that changes with anything that changes the features of a clip.
        width: D, the width of the features.
        open: Opens the network, which takes seconds the first time on a machine.
    """

    config: FeatureConfig
    fingerprint: str
    width: int
    open: Callable[[], OpenedNetwork]


def backbone_recipe(config: FeatureConfig) -> NetworkRecipe:
    """How the backbone of `config` is built.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are not at hand.
    """
    backbone = get_backbone(config.backbone)
    arguments = {"name": backbone.name, "size": config.geometry.size, "weights": config.weights}
    return NetworkRecipe(
        "vidclass.backbones.registry:build_backbone",
        arguments,
        identity=backbone.weights_id(config.weights),
        frames=True,
    )


def open_backbone(config: FeatureConfig) -> OpenedNetwork:
    """The backbone of `config`: through OpenVINO if that route passes its parity check.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are not at hand.
    """
    from vidclass.runtime.ir import ensure_ir
    from vidclass.runtime.network import OpenVinoNetwork

    recipe = backbone_recipe(config)
    try:
        files = ensure_ir(recipe)
    except RuntimeRouteError as error:
        from vidclass.runtime.keras_route import KerasNetwork

        return OpenedNetwork(KerasNetwork(recipe), "keras", str(error))
    return OpenedNetwork(OpenVinoNetwork.from_files(files.xml, files.bin), "openvino")


def feature_maker(config: FeatureConfig) -> FeatureMaker:
    """What makes the features that `config` asks for; the network is opened only when needed.

    Raises:
        ConfigError: there is no such backbone.
        WeightsError: its weights are not at hand.
    """
    recipe = backbone_recipe(config)
    settings = config.model_dump(mode="json")
    # Another FFmpeg may give other pixels.
    parts = [FEATURE_FORMAT, settings, recipe.fingerprint(), version("av")]
    return FeatureMaker(
        config,
        hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32],
        get_backbone(config.backbone).width,
        lambda: open_backbone(config),
    )
