"""Planted wrong labels are found; where nothing can be judged, that is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspected_clips import manifest_of
from vidclass.evaluation.label_issues import contradicted, judge_labels
from vidclass.types import ClipFeatures, no_progress

CENTRES = {"a": 0, "b": 1, "c": 2}


def features_of(labels: str, *, seed: int = 0) -> list[ClipFeatures | None]:
    """Three frames of eight numbers each, close to the centre of the true class."""
    rng = np.random.default_rng(seed)
    clips: list[ClipFeatures | None] = []
    for label in labels:
        frames = rng.normal(0, 0.3, (3, 8))
        frames[:, CENTRES[label]] += 3
        clips.append(ClipFeatures(frames.astype(np.float16), np.arange(3.0)))
    return clips


def test_a_planted_label_is_the_first_suspect() -> None:
    truth = "abc" * 12
    given_labels = list(truth)
    given_labels[4] = "c"
    manifest = manifest_of(label=given_labels, group=[f"g{k // 2}" for k in range(36)])
    told: list[tuple[str, int, int]] = []
    judged = judge_labels(manifest, features_of(truth), lambda *step: told.append(step))
    first = judged.suspects[0]
    assert (first.row, first.label, first.suggested) == (4, "c", "b")
    assert first.probability > 0.5 > first.label_probability
    assert judged.accuracy == pytest.approx(35 / 36)
    assert judged.note == ""
    assert told == [("labels", k, 5) for k in range(1, 6)]


def test_a_clip_of_the_same_group_teaches_nothing() -> None:
    """Half of group 0 is labelled wrongly: with its other half to learn from, none would tell."""
    truth = "a" * 4 + "abc" * 10
    labels = ["b"] * 4 + list(truth[4:])
    groups = ["g0"] * 4 + [f"g{k}" for k in range(1, 31)]
    judged = judge_labels(manifest_of(label=labels, group=groups), features_of(truth), no_progress)
    assert {one.row for one in judged.suspects} >= {0, 1, 2, 3}


def test_clean_labels_agree() -> None:
    truth = "abc" * 8
    judged = judge_labels(manifest_of(label=list(truth)), features_of(truth), no_progress)
    assert (judged.accuracy, judged.suspects) == (1.0, ())


def test_clips_without_features_are_left_out() -> None:
    truth = "ab" * 6
    clips = features_of(truth)
    clips[0] = None
    judged = judge_labels(manifest_of(label=list(truth)), clips, no_progress)
    assert judged.accuracy == 1.0
    nothing = judge_labels(manifest_of(label=list(truth)), [None] * 12, no_progress)
    assert "were not judged: that takes two classes" in nothing.note


def test_classes_of_one_group_are_not_judged() -> None:
    truth = "abc" * 4
    groups = [f"g{k}" if label != "c" else "one" for k, label in enumerate(truth)]
    judged = judge_labels(
        manifest_of(label=list(truth), group=groups), features_of(truth), no_progress
    )
    assert judged.note == "labels of 'c' were not judged: it takes two groups."
    assert judged.accuracy == 1.0
    alone = judge_labels(
        manifest_of(label=list(truth), group=["one"] * 12), features_of(truth), no_progress
    )
    assert (alone.accuracy, alone.suspects) == (None, ())
    assert alone.note.startswith("labels were not judged")


def test_several_classes_a_clip() -> None:
    judged = judge_labels(manifest_of(label=["a", "a|b"]), features_of("ab"), no_progress)
    assert judged.note == "labels were not judged: clips have several classes."


def test_thresholds_are_those_of_each_class() -> None:
    """Class 1 is never sure: 0.5 reaches its threshold, but 0.7 not that of class 0."""
    probabilities = np.array(
        [[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.6, 0.4], [0.5, 0.5], [0.7, 0.3]]
    )
    truth = np.array([0, 0, 0, 1, 1, 1])
    # Means of the given classes: 0.75 and 0.4.
    assert contradicted(probabilities, truth) == [(2, 1, 0.45, 0.55)]


@given(st.integers(0, 1000), st.integers(2, 5))
def test_the_rule_holds_of_every_suspect(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), 30)
    truth = np.concatenate([np.arange(classes), rng.integers(0, classes, 30 - classes)])
    own = probabilities[np.arange(30), truth]
    thresholds = [own[truth == k].mean() for k in range(classes)]
    found = contradicted(probabilities, truth)
    for number, other, given_probability, best in found:
        assert other != truth[number]
        assert given_probability == own[number] < thresholds[truth[number]]
        assert best == probabilities[number, other] >= thresholds[other]
    gaps = [best - given_probability for _, _, given_probability, best in found]
    assert gaps == sorted(gaps, reverse=True)
