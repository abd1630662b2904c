"""Clips for fine-tuning: their order, their frames, mirrors, and what a batch holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tiny_set import write_set
from tune_child import FEATURES, tune_data
from vidclass.config import FeatureConfig, FinetuneConfig, SamplingConfig
from vidclass.errors import VideoError
from vidclass.finetuning.batches import (
    ClipReader,
    TuneClip,
    TuneData,
    can_jitter,
    epoch_steps,
    plain_batches,
    soft_targets,
    training_batches,
)
from vidclass.finetuning.loop import scores


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TuneData:
    return tune_data(write_set(tmp_path_factory.mktemp("batches") / "clips", groups=3))


def reader(features: FeatureConfig = FEATURES, **settings: object) -> ClipReader:
    return ClipReader(features, FinetuneConfig.checked(**settings), {}, {0: 1, 1: 0})


def test_every_clip_comes_once_an_epoch_in_even_steps() -> None:
    steps = epoch_steps(33, batch_size=16, seed=1, epoch=2)
    assert [len(step) for step in steps] == [11, 11, 11]
    assert sorted(np.concatenate(steps)) == list(range(33))
    again = epoch_steps(33, batch_size=16, seed=1, epoch=2)
    assert all((one == other).all() for one, other in zip(steps, again, strict=True))
    for seed, epoch in ((1, 3), (2, 2)):
        other = np.concatenate(epoch_steps(33, batch_size=16, seed=seed, epoch=epoch))
        assert (other != np.concatenate(steps)).any()


def test_frames_jitter_by_epoch_and_are_the_same_again(data: TuneData) -> None:
    item, plain = data.train[0], reader(jitter=False)
    drawn = [reader().read_augmented(item, epoch).frames for epoch in (1, 1, 2, 3, 4)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert any((one != drawn[0]).any() for one in drawn[2:])
    expected = plain.read_plain(item).frames
    np.testing.assert_array_equal(plain.read_augmented(item, 3).frames, expected)
    np.testing.assert_array_equal(reader().read_plain(item).frames, expected)


@pytest.mark.parametrize(("policy", "can"), [("uniform", True), ("random", True), ("first", False)])
def test_only_frames_of_equal_parts_can_jitter(policy: str, can: bool, data: TuneData) -> None:
    sampling = SamplingConfig(policy=policy, frames=4)  # type: ignore[arg-type]
    assert can_jitter(sampling) == can
    if not can:
        still = reader(FEATURES.model_copy(update={"sampling": sampling}))
        item = data.train[0]
        frames = [still.read_augmented(item, epoch).frames for epoch in (1, 2)]
        np.testing.assert_array_equal(frames[0], frames[1])


def test_half_of_the_clips_are_mirrored_and_their_labels_exchanged(data: TuneData) -> None:
    item = data.train[0]
    plain = reader(jitter=False).read_plain(item)
    flipping = reader(jitter=False, flip=True)
    count = 0
    for epoch in range(40):
        decoded = flipping.read_augmented(item, epoch)
        if decoded.target == plain.target:
            np.testing.assert_array_equal(decoded.frames, plain.frames)
        else:
            np.testing.assert_array_equal(decoded.frames, plain.frames[:, :, ::-1])
            count += 1
    assert 10 <= count <= 30


def test_batches_are_padded_and_name_what_failed(data: TuneData, tmp_path: Path) -> None:
    gone = replace(data.train[0].clip, video=tmp_path / "gone.avi")
    failing = TuneClip(gone, "key", 0)
    step = [data.train[1], failing, data.train[2]]
    batches = list(training_batches(data.reader, [step], epoch=1, size=2, micro=3))
    assert [batch.clips for batch in batches] == [1, 1, 0]
    assert [batch.frames.shape for batch in batches] == [(2, 4, 16, 16, 3)] * 3
    assert batches[0].targets.tolist() == [data.train[1].target, -1]
    assert not batches[0].mask[1].any() and not batches[0].frames[1].any()
    [(item, error)] = batches[0].errors
    assert item is failing
    assert isinstance(error, VideoError)
    [plain] = plain_batches(data.reader, [data.train[1]], size=2)
    assert plain.targets.tolist() == [data.train[1].target, -1]
    assert plain.mask.tolist() == [[True] * 4, [False] * 4]


def test_targets_are_smoothed_weighed_and_empty_for_empty_rows() -> None:
    rows = soft_targets(np.array([1, -1]), 2, smoothing=0.2, weights={0: 1.0, 1: 3.0})
    np.testing.assert_allclose(rows, [[0.3, 2.7], [0, 0]], rtol=1e-6)
    rows = soft_targets(np.array([0]), 2, smoothing=0.0, weights=None)
    assert rows.tolist() == [[1, 0]]


def test_scores() -> None:
    metrics = scores(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]]))
    assert metrics == pytest.approx({"val_accuracy": 0.5, "val_loss": 1.5 * np.log(2)})
