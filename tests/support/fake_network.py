"""A network that needs no weights."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.features.extractor import FeatureExtractor, OpenedNetwork

WIDTH = 6


class MeanColour:
    """Mean and deviation of each channel: (B,H,W,3) to (B,6).  Counts what it is given."""

    parallel = 1
    batch_frames = 4

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        frames = inputs["frames"].astype("float32")
        self.batches.append(len(frames))
        return np.concatenate([frames.mean((1, 2)), frames.std((1, 2))], axis=1)


class FakeExtractor:
    """Extractors around one MeanColour, which count how often it is opened."""

    def __init__(self) -> None:
        self.network: Any = MeanColour()
        self.route: Literal["openvino", "keras"] = "openvino"
        self.opened = 0

    def extractor(self, *, frames: int = 4, fingerprint: str = "settings") -> FeatureExtractor:
        config = FeatureConfig(
            sampling=SamplingConfig(frames=frames), geometry=GeometryConfig(size=16)
        )
        return FeatureExtractor(config, fingerprint, WIDTH, self._open)

    def _open(self) -> OpenedNetwork:
        self.opened += 1
        note = "it runs in Keras" if self.route == "keras" else ""
        return OpenedNetwork(self.network, self.route, note)
