"""How fast a backbone runs on this machine, by the route that features are made by."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidclass.config import FeatureConfig
    from vidclass.types import FloatArray, UInt8Array

SECONDS = 2.0


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        weights: The weights that were used; they do not change the speed.
        route: `openvino` or `keras`; None if the network cannot run.
        reason: Why not the faster route, or why none.
        frames_per_s: Over two seconds, with all the threads the network takes.
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
    weights = "pretrained" if backbone.weights_state == "at hand" else "random"
    geometry = GeometryConfig(size=size or backbone.size)
    return FeatureConfig(backbone=name, weights=weights, geometry=geometry)


def measure(config: FeatureConfig) -> Speed:
    """Open the network of `config` and keep all of its threads busy with noise for two seconds.

    Opening it the first time on a machine makes its OpenVINO form, which takes seconds to minutes.

    Raises:
        WeightsError: its weights are not at hand.
    """
    import numpy as np

    from vidclass._core.parallel import run_each
    from vidclass.backbones.registry import get_backbone
    from vidclass.features.extractor import open_backbone

    opened = open_backbone(config)
    network, side = opened.network, config.geometry.size
    window = get_backbone(config.backbone).window
    rows = max(1, network.batch_frames // window)
    shape = (rows, *([window] if window > 1 else []), side, side, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def run(batch: UInt8Array) -> FloatArray:
        return network.run(frames=batch)

    def batches(seconds: float) -> Iterator[UInt8Array]:
        until = time.monotonic() + seconds
        for _ in range(network.parallel):
            yield frames
        while time.monotonic() < until:
            yield frames

    def count(seconds: float) -> int:
        return sum(1 for _ in run_each(run, batches(seconds), workers=network.parallel))

    count(0)  # the first batches may include a compilation
    begun = time.monotonic()
    done = count(SECONDS)
    frames_per_s = done * len(frames) * window / (time.monotonic() - begun)
    return Speed(config.weights, opened.route, opened.note, round(frames_per_s, 2))
