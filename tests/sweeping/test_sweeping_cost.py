from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import JobFailedError
from vidclass.features.extract import extract
from vidclass.features.networks import FeatureMaker, OpenedNetwork
from vidclass.sweeping import cost as module
from vidclass.sweeping.cost import feature_cost, head_cost
from vidclass.types import FloatArray, UInt8Array


class Counting:
    """A network that notes how many frames it is given, and how big they are."""

    parallel = 1
    batch_frames = 4

    def __init__(self) -> None:
        self.frames = 0

    def run(self, **inputs: UInt8Array) -> FloatArray:
        self.frames += len(inputs["frames"])
        return inputs["frames"].astype(np.float32).mean((1, 2))


def maker(network: Counting) -> FeatureMaker:
    config = FeatureConfig(sampling=SamplingConfig(frames=3), geometry=GeometryConfig(size=16))
    return FeatureMaker(config, "settings", 3, lambda: OpenedNetwork(network, "openvino"))


def test_a_few_clips_are_decoded_and_computed_in_every_round(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Counting()
    made = maker(network)
    extraction = extract(Manifest.from_source(tiny_set), made, store_folder=tmp_path)
    assert network.frames == 30
    clock = iter([0.0, 9.0, 10.0, 10.6, 20.0, 21.2, 30.0, 30.3])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    found = feature_cost(made, extraction)
    assert network.frames == 30 + 4 * 6 * 3  # six clips, four rounds, nothing stored
    # The first round, of 9 s, only warms up; the median of the others is 0.6 s for six clips.
    assert (found.ms, found.route) == (pytest.approx(100.0), "openvino")


def test_what_cannot_be_read_is_not_measured(tiny_set: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(tiny_set, clips)
    for path in sorted(clips.rglob("*.avi"))[:8]:
        path.write_bytes(b"")
    network = Counting()
    made = maker(network)
    extraction = extract(Manifest.from_source(clips), made, store_folder=tmp_path / "store")
    assert feature_cost(made, extraction).ms > 0
    assert network.frames == 2 * 3 * 5
    for path in sorted(clips.rglob("*.avi")):
        path.write_bytes(b"")
    extraction = extract(Manifest.from_source(clips), made, store_folder=tmp_path / "other")
    with pytest.raises(JobFailedError, match="none of the 10 clips could be read"):
        feature_cost(made, extraction)


@pytest.mark.slow
def test_a_head_is_measured_as_a_bundle_has_it() -> None:
    found = head_cost("mean", frames=5, width=16, classes=3)
    assert (found.parameters, found.multiplications) == (16 * 3 + 3, 16 * 3)
    assert 0 < found.ms < 1000
