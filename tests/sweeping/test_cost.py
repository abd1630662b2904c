from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from vidclass.config import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import JobFailedError
from vidclass.features.extract import extract
from vidclass.features.extractor import FeatureExtractor, OpenedNetwork
from vidclass.sweeping import cost as module
from vidclass.sweeping.cost import fair_costs_s, feature_costs, head_cost
from vidclass.types import FloatArray, UInt8Array


class Counting:
    """A network that notes how many frames it is given, and how big they are."""

    parallel = 1
    batch_frames = 4

    def __init__(self) -> None:
        self.frames = self.opened = 0

    def run(self, **inputs: UInt8Array) -> FloatArray:
        self.frames += len(inputs["frames"])
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
    made = extractor(network)
    extraction = extract(Manifest.from_source(tiny_set), made, store_folder=tmp_path)
    assert network.frames == 30
    # Each round begins with one clip that is not counted; then six clips take so many seconds.
    seconds = iter([0.6, 9.0, 0.3, 0.66, 1.2])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    clock = iter(
        [t for s in seconds for t in (0.0, 100.0, 0.0, s)],
    )
    told: list[tuple[str, int, int]] = []
    (found,) = feature_costs([(made, extraction)], lambda *step: told.append(step))
    assert network.frames == 30 + 5 * 7 * 3  # five rounds, seven clips, nothing stored
    assert (found.ms, found.route) == (pytest.approx(50.0), "openvino")  # the quietest round
    assert told == [("measure", turn, 5) for turn in range(1, 6)]


def test_settings_take_turns_and_slow_networks_are_opened_once(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, slow = Counting(), Counting()
    extractors = extractor(quick), replace(extractor(slow, "keras"), fingerprint="other")
    clips = Manifest.from_source(tiny_set)
    settings = [(made, extract(clips, made, store_folder=tmp_path)) for made in extractors]
    quick.opened = slow.opened = 0
    turns: list[str] = []
    original = module._seconds_a_clip

    def watched(extractor: FeatureExtractor, *rest: Any) -> float:
        turns.append(extractor.fingerprint)
        return original(extractor, *rest)

    monkeypatch.setattr(module, "_seconds_a_clip", watched)
    # The two differ in nothing that a network depends on, so give one another size.
    config = extractors[1].config.model_copy(update={"geometry": GeometryConfig(size=24)})
    settings[1] = (replace(extractors[1], config=config), settings[1][1])
    costs = feature_costs(settings)
    assert turns[::2] == ["settings", "other", "other", "settings"] * 2 + ["settings", "other"]
    assert (quick.opened, slow.opened) == (5, 1)
    assert [cost.route for cost in costs] == ["openvino", "keras"]


def test_what_cannot_be_read_is_not_measured(tiny_set: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(tiny_set, clips)
    for path in sorted(clips.rglob("*.avi"))[:8]:
        path.write_bytes(b"")
    network = Counting()
    made = extractor(network)
    extraction = extract(Manifest.from_source(clips), made, store_folder=tmp_path / "store")
    (found,) = feature_costs([(made, extraction)])
    assert found.ms > 0
    assert network.frames == 2 * 3 + 5 * 3 * 3
    for path in sorted(clips.rglob("*.avi")):
        path.write_bytes(b"")
    extraction = extract(Manifest.from_source(clips), made, store_folder=tmp_path / "other")
    with pytest.raises(JobFailedError, match="none of the 10 clips could be read"):
        feature_costs([(made, extraction)])


def test_a_machine_that_is_busy_for_a_while_changes_no_order() -> None:
    true_s = np.array([0.02, 0.03, 0.05, 0.1])
    quiet = np.tile(true_s, (5, 1))
    np.testing.assert_allclose(fair_costs_s(quiet), true_s)
    for began in range(20):  # from then on it is four times as slow, or has been until then
        busy = np.where(np.arange(20).reshape(5, 4) >= began, 4.0, 1.0)
        for load in (busy, 5.0 - busy):
            found = fair_costs_s(quiet * load)
            assert (np.diff(found) > 0).all()
            np.testing.assert_allclose(found / found[0], true_s / true_s[0])


@pytest.mark.slow
def test_a_head_is_measured_as_a_bundle_has_it() -> None:
    found = head_cost("mean", frames=5, width=16, classes=3)
    assert (found.parameters, found.multiplications) == (16 * 3 + 3, 16 * 3)
    assert 0 < found.ms < 1000
