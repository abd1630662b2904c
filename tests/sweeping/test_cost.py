from __future__ import annotations

import shutil
import time
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import JobFailedError
from vidclass.features.extract import extract
from vidclass.features.extractor import FeatureExtractor, OpenedNetwork
from vidclass.sweeping.cost import measure_features, measure_head, robust_costs_s
from vidclass.types import FloatArray, UInt8Array


class Counting:
    """Network that counts its frames and how often it is opened."""

    parallel = 1
    batch_frames = 4

    def __init__(self, name: str = "", runs: list[str] | None = None) -> None:
        self.frames = self.opened = 0
        self.name, self.runs = name, [] if runs is None else runs

    def run(self, **inputs: UInt8Array) -> FloatArray:
        self.frames += len(inputs["frames"])
        self.runs.append(self.name)
        return inputs["frames"].astype(np.float32).mean((1, 2))


def extractor(
    network: Counting, route: Literal["openvino", "keras"] = "openvino"
) -> FeatureExtractor:
    config = FeatureConfig(sampling=SamplingConfig(frames=3), geometry=GeometryConfig(size=16))

    def open_it() -> OpenedNetwork:
        network.opened += 1
        return OpenedNetwork(network, route)

    return FeatureExtractor(config, "settings", 3, open_it)


def test_a_few_clips_are_decoded_and_computed_in_every_round(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Counting()
    counting = extractor(network)
    extraction = extract(Manifest.from_source(tiny_set), counting, store_folder=tmp_path)
    assert network.frames == 30
    # Each round warms up with one clip; then six clips take so many seconds.
    seconds = iter([0.6, 9.0, 0.3, 0.66, 1.2])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    clock = iter(
        [t for s in seconds for t in (0.0, 100.0, 0.0, s)],
    )
    steps: list[tuple[str, int, int]] = []
    (cost,) = measure_features([(counting, extraction)], lambda *step: steps.append(step))
    assert network.frames == 30 + 5 * 7 * 3  # five rounds, seven clips, nothing stored
    assert (cost.ms, cost.route) == (pytest.approx(50.0), "openvino")  # the quietest round
    assert steps == [("measure", turn, 5) for turn in range(1, 6)]


def test_settings_take_turns_and_slow_networks_are_opened_once(
    tiny_set: Path, tmp_path: Path
) -> None:
    runs: list[str] = []
    quick, slow = Counting("quick", runs), Counting("slow", runs)
    extractors = extractor(quick), replace(extractor(slow, "keras"), fingerprint="other")
    clips = Manifest.from_source(tiny_set)
    settings = [(each, extract(clips, each, store_folder=tmp_path)) for each in extractors]
    quick.opened = slow.opened = 0
    runs.clear()
    # Networks are cached by backbone, size and precision, so give one another size.
    config = extractors[1].config.model_copy(update={"geometry": GeometryConfig(size=24)})
    settings[1] = (replace(extractors[1], config=config), settings[1][1])
    costs = measure_features(settings)
    # Forwards and backwards in turn: the last setting of a round is the first of the next.
    assert [name for name, _ in groupby(runs)] == ["quick", "slow"] * 3
    assert (quick.opened, slow.opened) == (5, 1)
    assert [cost.route for cost in costs] == ["openvino", "keras"]


def test_unreadable_clips_are_not_measured(tiny_set: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(tiny_set, clips)
    for path in sorted(clips.rglob("*.avi"))[:8]:
        path.write_bytes(b"")
    network = Counting()
    counting = extractor(network)
    extraction = extract(Manifest.from_source(clips), counting, store_folder=tmp_path / "store")
    (cost,) = measure_features([(counting, extraction)])
    assert cost.ms > 0
    assert network.frames == 2 * 3 + 5 * 3 * 3
    for path in sorted(clips.rglob("*.avi")):
        path.write_bytes(b"")
    extraction = extract(Manifest.from_source(clips), counting, store_folder=tmp_path / "other")
    with pytest.raises(JobFailedError, match="none of the 10 clips could be read"):
        measure_features([(counting, extraction)])


def test_other_load_changes_no_order() -> None:
    true_s = np.array([0.02, 0.03, 0.05, 0.1])
    quiet = np.tile(true_s, (5, 1))
    np.testing.assert_allclose(robust_costs_s(quiet), true_s)
    for began in range(20):  # four times as slow from then on, or until then
        busy = np.where(np.arange(20).reshape(5, 4) >= began, 4.0, 1.0)
        for load in (busy, 5.0 - busy):
            costs = robust_costs_s(quiet * load)
            assert (np.diff(costs) > 0).all()
            np.testing.assert_allclose(costs / costs[0], true_s / true_s[0])


@pytest.mark.slow
def test_a_head_is_measured_as_a_bundle_holds_it() -> None:
    cost = measure_head("mean", frames=5, width=16, classes=3)
    assert (cost.parameters, cost.multiplications) == (16 * 3 + 3, 16 * 3)
    assert 0 < cost.ms < 1000
