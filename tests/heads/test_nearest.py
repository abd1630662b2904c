from __future__ import annotations

import numpy as np
import pytest

from vidclass.heads import heads
from vidclass.heads.cost import multiplications, parameters
from vidclass.heads.nearest import NearestClips, representatives
from vidclass.heads.registry import build_head
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.examples import Examples
from vidclass.training.fit import fit_head

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def adapted(clips: list[list[float]], truth: list[int], per_class: int = 4) -> NearestClips:
    layer = NearestClips(2, per_class)
    layer(np.zeros((1, 2), np.float32))
    layer.adapt_to_classes(np.array(clips, np.float32), np.array(truth))
    return layer


def chances(layer: NearestClips, clip: list[float], training: bool = False) -> list[float]:
    logits = np.asarray(layer(np.array([clip], np.float32), training=training), np.float64)[0]
    votes = np.exp(logits - logits.max())
    return [float(vote) for vote in votes / votes.sum()]


def test_the_votes_are_those_of_matching_networks() -> None:
    layer = adapted([EAST, NORTH, WEST], [0, 0, 1])
    layer.sharpness.assign([2.0])
    clip = [3.0, 4.0]  # cosines 0.6, 0.8, -0.6
    votes = [(np.exp(1.2) + np.exp(1.6)) / 2, np.exp(-1.2)]
    expected = [float(vote) for vote in votes / np.sum(votes)]
    assert chances(layer, clip) == pytest.approx(expected, abs=1e-6)


def test_many_clips_of_a_class_do_not_outvote_few() -> None:
    layer = adapted([EAST, EAST, EAST, WEST], [0, 0, 0, 1])
    assert chances(layer, NORTH) == pytest.approx([0.5, 0.5], abs=1e-6)


def test_in_training_a_clip_has_no_vote_on_itself() -> None:
    layer = adapted([EAST, NORTH, WEST], [0, 0, 1])
    assert chances(layer, EAST)[0] == pytest.approx(1.0, abs=1e-6)
    layer.sharpness.assign([2.0])
    votes = [1.0 / 2, np.exp(-2.0)]  # what is left: its neighbour to the north, against the west
    assert chances(layer, EAST, training=True)[0] == pytest.approx(votes[0] / sum(votes), abs=1e-5)


def test_of_many_clips_the_centres_of_clusters_are_kept() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9]], np.float32)
    clips = np.repeat(centres, 20, 0) + rng.normal(0, 0.5, (60, 3)).astype(np.float32)
    kept = representatives(clips, 3)
    assert sorted(kept.argmax(1)) == [0, 1, 2]
    assert all((clips == row).all(1).any() for row in kept)  # clips, not means
    np.testing.assert_array_equal(representatives(clips[:3], 3), clips[:3])
    layer = NearestClips(2, 3)
    layer(np.zeros((1, 3), np.float32))
    layer.adapt_to_classes(clips, np.array([0] * 40 + [1] * 20))
    used = np.asarray(layer.offset) > -50
    assert used.tolist() == [True] * 3 + [True] * 3
    np.testing.assert_allclose(np.asarray(layer.offset)[used], -np.log(3), rtol=1e-5)


def test_it_learns_and_only_how_sharp_it_is() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(30) % 3
    features = rng.normal(0, 0.6, (30, 4, 6)).astype(np.float32)
    features[np.arange(30), :, truth] += 2.0
    mask = np.ones((30, 4), np.bool_)
    clips = Examples(features, mask, truth)
    fitted = fit_head(
        "knn",
        clips.at(np.arange(18)),
        heads()["knn"].training,
        task=SingleLabelTask(("a", "b", "c")),
    )
    assert sum(weight.shape[0] for weight in fitted.model.trainable_weights) == 1
    found = fitted.probabilities(clips.at(np.arange(18, 30))).argmax(1)
    assert (found == truth[18:]).mean() > 0.9
    assert float(np.asarray(fitted.model.trainable_weights[0])[0]) != 20.0


def test_the_room_for_clips_can_be_set() -> None:
    small = build_head("knn(per_class=2)", 4, 6, 3)
    large = build_head("knn", 4, 6, 3)
    assert large.count_params() - small.count_params() == 48 * 3 * (6 + 1)
    assert (parameters(small), multiplications(small)) == (1, 2 * 3 * 6)
