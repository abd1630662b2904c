"""Planted wrong labels are detected; labels that cannot be checked are noted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspected_clips import manifest_of
from vidclass.evaluation.label_issues import contradicted, find_label_issues
from vidclass.types import ClipFeatures, no_progress

CENTRES = {"a": 0, "b": 1, "c": 2}


def features_of(labels: str, *, seed: int = 0) -> list[ClipFeatures | None]:
    """Return features (3,8) of each clip, close to the centre of its true class."""
    rng = np.random.default_rng(seed)
    clips: list[ClipFeatures | None] = []
    for label in labels:
        frames = rng.normal(0, 0.3, (3, 8))
        frames[:, CENTRES[label]] += 3
        clips.append(ClipFeatures(frames.astype(np.float16), np.arange(3.0)))
    return clips


def test_a_planted_label_is_the_first_issue() -> None:
    y_true = "abc" * 12
    given_labels = list(y_true)
    given_labels[4] = "c"
    manifest = manifest_of(label=given_labels, group=[f"g{k // 2}" for k in range(36)])
    steps: list[tuple[str, int, int]] = []
    checked = find_label_issues(manifest, features_of(y_true), lambda *step: steps.append(step))
    first = checked.issues[0]
    assert (first.row, first.label, first.suggested) == (4, "c", "b")
    assert first.probability > 0.5 > first.label_probability
    assert checked.agreement == pytest.approx(35 / 36)
    assert checked.note == ""
    assert steps == [("labels", k, 5) for k in range(1, 6)]


def test_clips_of_the_same_group_are_never_trained_on() -> None:
    """Group 0 is labelled wrongly: a model trained on part of it would not contradict the rest."""
    y_true = "a" * 4 + "abc" * 10
    labels = ["b"] * 4 + list(y_true[4:])
    groups = ["g0"] * 4 + [f"g{k}" for k in range(1, 31)]
    checked = find_label_issues(
        manifest_of(label=labels, group=groups), features_of(y_true), no_progress
    )
    assert {one.row for one in checked.issues} >= {0, 1, 2, 3}


def test_clean_labels_agree() -> None:
    y_true = "abc" * 8
    checked = find_label_issues(manifest_of(label=list(y_true)), features_of(y_true), no_progress)
    assert (checked.agreement, checked.issues) == (1.0, ())


def test_clips_without_features_are_left_out() -> None:
    y_true = "ab" * 6
    clips = features_of(y_true)
    clips[0] = None
    checked = find_label_issues(manifest_of(label=list(y_true)), clips, no_progress)
    assert checked.agreement == 1.0
    nothing = find_label_issues(manifest_of(label=list(y_true)), [None] * 12, no_progress)
    assert "were not checked: that takes two classes" in nothing.note


def test_classes_of_one_group_are_not_checked() -> None:
    y_true = "abc" * 4
    groups = [f"g{k}" if label != "c" else "one" for k, label in enumerate(y_true)]
    checked = find_label_issues(
        manifest_of(label=list(y_true), group=groups), features_of(y_true), no_progress
    )
    assert checked.note == "labels of 'c' were not checked: it takes two groups."
    assert checked.agreement == 1.0
    alone = find_label_issues(
        manifest_of(label=list(y_true), group=["one"] * 12), features_of(y_true), no_progress
    )
    assert (alone.agreement, alone.issues) == (None, ())
    assert alone.note.startswith("labels were not checked")


def test_labels_of_several_classes_are_not_checked() -> None:
    checked = find_label_issues(manifest_of(label=["a", "a|b"]), features_of("ab"), no_progress)
    assert checked.note == "labels were not checked: clips have several classes."


def test_thresholds_are_those_of_each_class() -> None:
    """Class 1 is never certain: 0.5 reaches its threshold, but 0.7 not that of class 0."""
    probabilities = np.array(
        [[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.6, 0.4], [0.5, 0.5], [0.7, 0.3]]
    )
    y_true = np.array([0, 0, 0, 1, 1, 1])
    # Means of the given classes: 0.75 and 0.4.
    assert contradicted(probabilities, y_true) == [(2, 1, 0.45, 0.55)]


@given(st.integers(0, 1000), st.integers(2, 5))
def test_the_rule_holds_for_every_issue(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), 30)
    y_true = np.concatenate([np.arange(classes), rng.integers(0, classes, 30 - classes)])
    own = probabilities[np.arange(30), y_true]
    thresholds = [own[y_true == k].mean() for k in range(classes)]
    issues = contradicted(probabilities, y_true)
    for number, other, given_probability, best in issues:
        assert other != y_true[number]
        assert given_probability == own[number] < thresholds[y_true[number]]
        assert best == probabilities[number, other] >= thresholds[other]
    gaps = [best - given_probability for _, _, given_probability, best in issues]
    assert gaps == sorted(gaps, reverse=True)
