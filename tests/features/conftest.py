"""A network that needs no weights, and manifests of tiny videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.data.manifest import Manifest
from vidclass.features.networks import FeatureMaker, OpenedNetwork

WIDTH = 6


class MeanColour:
    """Mean and deviation of each channel: (B,H,W,3) to (B,6).  Counts what it is given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        frames = inputs["frames"].astype("float32")
        self.batches.append(len(frames))
        return np.concatenate([frames.mean((1, 2)), frames.std((1, 2))], axis=1)


class FakeMaker:
    """Makes FeatureMakers around one MeanColour, and counts how often it is opened."""

    def __init__(self) -> None:
        self.network: Any = MeanColour()
        self.route: Literal["openvino", "keras"] = "openvino"
        self.opened = 0

    def maker(self, *, frames: int = 4, fingerprint: str = "settings") -> FeatureMaker:
        config = FeatureConfig(
            sampling=SamplingConfig(frames=frames), geometry=GeometryConfig(size=16)
        )
        return FeatureMaker(config, fingerprint, WIDTH, self._open)

    def _open(self) -> OpenedNetwork:
        self.opened += 1
        reason = "its OpenVINO form differs" if self.route == "keras" else ""
        return OpenedNetwork(self.network, self.route, reason)


@pytest.fixture
def fake() -> FakeMaker:
    return FakeMaker()


@pytest.fixture
def manifest_of() -> Callable[..., Manifest]:
    """A manifest of videos; `spans` gives (start_s, stop_s) of each."""

    def make(
        videos: Sequence[Path], spans: Sequence[tuple[float, float | None]] | None = None
    ) -> Manifest:
        spans = spans or [(0.0, None)] * len(videos)
        count = len(videos)
        return Manifest(
            pl.DataFrame(
                {
                    "video": [str(video) for video in videos],
                    "label": ["a"] * count,
                    "group": [None] * count,
                    "split": [None] * count,
                    "fold": [None] * count,
                    "start_s": [start_s for start_s, _ in spans],
                    "stop_s": [stop_s for _, stop_s in spans],
                },
                schema={
                    "video": pl.String,
                    "label": pl.String,
                    "group": pl.String,
                    "split": pl.String,
                    "fold": pl.Int64,
                    "start_s": pl.Float64,
                    "stop_s": pl.Float64,
                },
            )
        )

    return make
