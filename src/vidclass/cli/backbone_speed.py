"""How fast a backbone runs on this machine, by the route that features are made by."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidclass.config import FeatureConfig

BATCH = 8
SECONDS = 2.0


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        weights: The weights that were used; they do not change the speed.
        route: `openvino` or `keras`; None if the network cannot run.
        reason: Why not the faster route, or why none.
        frames_per_s: Of the fastest batch: other work on the machine disturbs that the least.
    """

    weights: str
    route: str | None
    reason: str
    frames_per_s: float | None


def speed_config(name: str, *, size: int | None = None) -> FeatureConfig:
    """A backbone at its own size or another, with ImageNet weights if they are at hand.

    Raises:
        ConfigError: there is no such backbone.
    """
    from vidclass.backbones.registry import get_backbone
    from vidclass.config import FeatureConfig, GeometryConfig

    backbone = get_backbone(name)
    weights = "imagenet" if backbone.weights_state == "at hand" else "random"
    geometry = GeometryConfig(size=size or backbone.size)
    return FeatureConfig(backbone=name, weights=weights, geometry=geometry)


def measure(config: FeatureConfig) -> Speed:
    """Open the network of `config` and run batches of 8 frames of noise for two seconds.

    Opening it the first time on a machine makes its OpenVINO form, which takes seconds to minutes.

    Raises:
        WeightsError: its weights are not at hand.
    """
    import numpy as np

    from vidclass.features.networks import open_backbone

    opened = open_backbone(config)
    side = config.geometry.size
    frames = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), np.uint8)
    opened.network.run(frames=frames)  # the first batch may include a compilation
    fastest_s, begun = float("inf"), time.monotonic()
    while fastest_s == float("inf") or time.monotonic() - begun < SECONDS:
        started = time.monotonic()
        opened.network.run(frames=frames)
        fastest_s = min(fastest_s, time.monotonic() - started)
    return Speed(config.weights, opened.route, opened.reason, round(BATCH / fastest_s, 2))
