"""Metrics of several labels, of levels, and of refusing to answer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score

from vidclass.errors import ManifestError, ShapeError
from vidclass.tasks.answers import AnswerRule
from vidclass.tasks.hierarchy import HierarchyMetrics
from vidclass.tasks.label_scheme import LabelScheme
from vidclass.tasks.metrics import compute_metrics
from vidclass.tasks.multilabel import (
    MIN_POSITIVES,
    MultiLabelMetrics,
    best_thresholds,
    multilabel_metrics,
)
from vidclass.tasks.rejection import (
    measure_rejection,
    threshold_for_precision,
    threshold_keeping,
)
from vidclass.tasks.score import HeldOutAnswers, score

LABELS = ("a", "b", "c")


def noisy(clips: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Probabilities that know something of a truth (N,3)."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((clips, 3)) < [0.2, 0.5, 0.7]).astype(np.float32)
    return np.clip(0.3 * truth + rng.random((clips, 3)) * 0.7, 0, 1), truth


def test_several_labels_agree_with_scikit_learn() -> None:
    probabilities, truth = noisy(60)
    chosen = probabilities >= 0.5
    metrics = multilabel_metrics(probabilities, truth, LABELS, chosen=chosen)
    expected = [average_precision_score(truth[:, k], probabilities[:, k]) for k in range(3)]
    assert metrics.mean_average_precision == pytest.approx(np.mean(expected))
    assert metrics.micro_f1 == pytest.approx(f1_score(truth, chosen, average="micro"))
    assert metrics.macro_f1 == pytest.approx(f1_score(truth, chosen, average="macro"))
    assert metrics.exact_match == metrics.accuracy == (chosen == (truth > 0)).all(1).mean()
    low, high = metrics.accuracy_interval
    assert low < metrics.accuracy < high
    assert metrics.per_class["a"]["videos"] == truth[:, 0].sum()


def test_first_labels_and_none_of_these_are_counted() -> None:
    truth = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    probabilities = np.array([[0.9, 0.8, 0.1], [0.7, 0.6, 0.1], [0.1, 0.2, 0.3], [0.8, 0.0, 0.0]])
    rule = AnswerRule(LabelScheme(LABELS, "multi-label", "bg"), (0.5, 0.5, 0.5))
    metrics = score(rule, probabilities, truth, lost={"failed": 2, "failed_by_class": {"a": 2}})
    assert isinstance(metrics, MultiLabelMetrics)
    # Right: the first clip's first label, and that there is none of the third.
    assert metrics.label_accuracy == 0.5
    assert metrics.exact_match == 0.25
    assert metrics.none_of_these == {"precision": 1, "recall": 0.5, "f1": 2 / 3, "videos": 2}
    assert metrics.average_precision["c"] is None
    assert metrics.mean_average_precision == pytest.approx((1 + 0.5) / 2)
    assert (metrics.failed, metrics.failed_by_class) == (2, {"a": 2})
    # Every class of every clip: nothing of a clip without labels is hidden.
    assert metrics.top5_accuracy == 1


def test_json_of_several_labels_adds_to_that_of_one() -> None:
    probabilities, truth = noisy(20)
    plain = compute_metrics(np.eye(3), np.arange(3), LABELS).to_json()
    assert not {"task", "rejection"} & set(plain)
    rule = AnswerRule(LabelScheme(LABELS, "multi-label"), (0.4, 0.5, 0.6))
    text = json.dumps(score(rule, probabilities, truth).to_json(), allow_nan=False)
    values = json.loads(text)
    assert set(values) - set(plain) == {
        "task", "exact_match", "label_accuracy", "mean_average_precision", "micro_f1",
    }  # fmt: skip
    assert set(plain) < set(values)
    assert (values["schema"], values["task"], values["confusion"]) == (1, "multi-label", [])
    assert values["per_class"]["b"].keys() == {
        "precision", "recall", "f1", "videos", "average_precision", "threshold",
    }  # fmt: skip
    assert [row["threshold"] for row in values["per_class"].values()] == [0.4, 0.5, 0.6]


def test_thresholds_of_folds_are_not_told_as_one() -> None:
    probabilities, truth = noisy(20)
    rule = AnswerRule(LabelScheme(LABELS, "multi-label"))
    answers = HeldOutAnswers(truth > 0)
    metrics = score(rule, probabilities, truth, held_out=answers)
    assert metrics.accuracy == 1.0
    assert [row["threshold"] for row in metrics.to_json()["per_class"].values()] == [None] * 3


def test_a_class_that_never_occurs_is_in_no_average() -> None:
    truth = np.zeros((3, 2), np.float32)
    metrics = multilabel_metrics(
        np.full((3, 2), 0.1), truth, ("a", "b"), chosen=np.zeros((3, 2), bool)
    )
    assert metrics.mean_average_precision is None
    assert (metrics.macro_f1, metrics.top5_accuracy, metrics.accuracy) == (0, 0, 1)


def test_arrays_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"truth \(2, 3\) and chosen \(2, 2\) for 3 labels"):
        multilabel_metrics(
            np.zeros((2, 3)), np.zeros((2, 3)), LABELS, chosen=np.zeros((2, 2), bool)
        )


def test_thresholds_have_the_highest_f1_there_is() -> None:
    probabilities, truth = noisy(80, seed=3)
    found = best_thresholds(probabilities, truth)
    for k, threshold in enumerate(found):
        reached = f1_score(truth[:, k], probabilities[:, k] >= threshold)
        for other in np.linspace(0, 1, 201):
            assert reached >= f1_score(truth[:, k], probabilities[:, k] >= other) - 1e-12


def test_a_threshold_lies_between_the_two_it_parts() -> None:
    probabilities = np.r_[np.full(6, 0.2), np.full(6, 0.4)][:, None]
    truth = np.r_[np.zeros(6), np.ones(6)][:, None]
    assert best_thresholds(probabilities, truth) == (pytest.approx(0.3),)


@pytest.mark.parametrize("positives", [MIN_POSITIVES - 1, 21 - MIN_POSITIVES])
def test_too_few_clips_on_a_side_leave_a_half(positives: int) -> None:
    truth = (np.arange(20) < positives).astype(float)[:, None]
    assert best_thresholds(0.1 * truth + 0.1, truth) == (0.5,)
    assert best_thresholds(0.1 * truth[:10] + 0.1, (np.arange(10) < 5)[:, None]) != (0.5,)


def test_accuracy_by_level_counts_the_clips_whose_label_reaches_it() -> None:
    scheme = LabelScheme(("s/x", "s/y", "t"), "hierarchy")
    truth = scheme.truth(["s/x", "s/x", "t", "s"])
    probabilities = np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.4, 0.2, 0.4], [0.3, 0.3, 0.4]])
    metrics = score(AnswerRule(scheme), probabilities, truth)
    assert isinstance(metrics, HierarchyMetrics)
    assert metrics.videos == 3
    assert metrics.accuracy == pytest.approx(1 / 3)
    assert [(row["level"], row["videos"]) for row in metrics.levels] == [(1, 4), (2, 3)]
    # At the top: both of s/x, and the last, whose leaves together are likelier than t.
    assert [row["accuracy"] for row in metrics.levels] == [0.75, pytest.approx(1 / 3)]
    values = json.loads(json.dumps(metrics.to_json()))
    assert (values["task"], values["labels"]) == ("hierarchy", ["s/x", "s/y", "t"])
    assert len(values["levels"][0]["accuracy_interval"]) == 2


def test_a_hierarchy_without_a_leaf_among_the_clips_is_refused() -> None:
    scheme = LabelScheme(("s/x", "s/y"), "hierarchy")
    with pytest.raises(ManifestError, match="none of 1 clips is labelled down to a leaf, such as"):
        score(AnswerRule(scheme), np.array([[0.5, 0.5]]), scheme.truth(["s"]))


def confident(*tops: float) -> NDArray[np.float64]:
    """Two classes; the first has these probabilities."""
    return np.stack([np.array(tops), 1 - np.array(tops)], 1)


def test_a_threshold_keeps_its_share_of_right_answers() -> None:
    probabilities = confident(*np.linspace(0.55, 0.97, 20))
    truth = np.zeros(20, int)
    threshold = threshold_keeping(probabilities, truth)
    assert (probabilities.max(1) >= (threshold or 0)).sum() == 19
    assert threshold_keeping(probabilities, truth, keep=1.0) == pytest.approx(0.55)
    assert threshold_keeping(probabilities, truth + 1) is None


def test_a_threshold_has_the_precision_asked_for_and_is_the_lowest() -> None:
    probabilities = confident(0.55, 0.6, 0.7, 0.8, 0.9)
    truth = np.array([1, 0, 1, 0, 0])
    assert threshold_for_precision(probabilities, truth, precision=0.6) == 0.55
    assert threshold_for_precision(probabilities, truth, precision=0.75) == 0.6
    assert threshold_for_precision(probabilities, truth, precision=1.0) == 0.8
    assert threshold_for_precision(probabilities, 1 - truth, precision=1.0) is None


def test_rejection_tells_coverage_and_what_is_right_of_it() -> None:
    probabilities = confident(0.55, 0.6, 0.8, 0.9)
    truth = np.array([1, 0, 0, 0])
    rule = AnswerRule(LabelScheme(("a", "b")), unknown_below=0.6)
    metrics = score(rule, probabilities, truth, unknown=confident(0.5, 0.7))
    found = metrics.rejection
    assert found is not None
    assert (found.accepted, found.coverage, found.accuracy_on_accepted) == (3, 0.75, 1.0)
    assert (found.unknown_videos, found.unknown_rejected) == (2, 0.5)
    assert found.auroc == pytest.approx(6 / 8)
    assert metrics.accuracy == 0.75  # over all clips, as ever
    assert json.loads(json.dumps(metrics.to_json()))["rejection"]["unknown_below"] == 0.6


def test_nothing_accepted_is_a_case() -> None:
    found = measure_rejection(confident(0.6), np.array([0]), np.array([False]), unknown_below=0.99)
    assert (found.coverage, found.accuracy_on_accepted, found.auroc) == (0, None, None)


def test_folds_reject_by_thresholds_of_their_own() -> None:
    rule = AnswerRule(LabelScheme(("a", "b")))
    probabilities, truth = confident(0.6, 0.9), np.array([0, 0])
    chosen = np.zeros((2, 2), bool)
    assert score(rule, probabilities, truth).rejection is None
    assert score(rule, probabilities, truth, held_out=HeldOutAnswers(chosen)).rejection is None
    answers = HeldOutAnswers(chosen, np.array([False, True]))
    found = score(rule, probabilities, truth, held_out=answers).rejection
    assert found is not None
    assert (found.unknown_below, found.coverage) == (None, 0.5)
