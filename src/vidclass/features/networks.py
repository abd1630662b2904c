"""The network that a feature setting asks for, by the fastest route that gives Keras's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vidclass.backbones.registry import get_backbone
from vidclass.config import FeatureConfig
from vidclass.errors import RuntimeRouteError
from vidclass.runtime.recipe import NetworkRecipe


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
