from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, top_k_accuracy_score

from vidclass.errors import ShapeError
from vidclass.features.failures import FailureMetrics
from vidclass.tasks.metrics import calibration_error, single_label_metrics

LABELS = ["a", "b", "c"]
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.55, 0.25, 0.2], [0.1, 0.2, 0.7]]
)
Y_TRUE = np.array([0, 0, 1, 1, 0])


def failures(count: int, by_class: dict[str, int] | None = None) -> FailureMetrics:
    return {"failed": count, "failed_by_class": by_class or {}}


def test_numbers_made_by_hand() -> None:
    metrics = single_label_metrics(PROBABILITIES, Y_TRUE, LABELS, failures=failures(2))
    assert metrics.accuracy == pytest.approx(3 / 5)
    assert metrics.top5_accuracy == 1.0
    assert metrics.confusion == [[2, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert metrics.per_class["a"] == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "videos": 3,
    }
    assert metrics.per_class["b"]["f1"] == pytest.approx(2 / 3)
    assert metrics.per_class["c"] == {"precision": 0, "recall": 0, "f1": 0, "videos": 0}
    assert metrics.macro_f1 == pytest.approx(2 / 3)  # c never occurs
    assert (metrics.videos, metrics.failed, metrics.labels) == (5, 2, LABELS)
    # By tenths of confidence: 0.8 right; 0.6 right; 0.7 right, 0.7 wrong; 0.55 wrong.
    assert metrics.ece == pytest.approx((0.2 + 0.4 + 2 * 0.2 + 0.55) / 5)


def test_what_failed_is_told_by_class() -> None:
    assert single_label_metrics(PROBABILITIES, Y_TRUE, LABELS).failed_by_class == {}
    failed = {"b": 1, "d": 2}
    metrics = single_label_metrics(PROBABILITIES, Y_TRUE, LABELS, failures=failures(3, failed))
    assert metrics.to_json()["failed_by_class"] == failed
    assert (metrics.unscored, metrics.left_out) == (["d"], ["d"])
    failed = {"b": 1, "c": 2}
    metrics = single_label_metrics(PROBABILITIES, Y_TRUE, LABELS, failures=failures(3, failed))
    assert (metrics.unscored, metrics.left_out) == ([], ["c"])


def test_the_interval_is_wilson_s() -> None:
    low, high = single_label_metrics(PROBABILITIES, Y_TRUE, LABELS).accuracy_interval
    z, n, p = 1.959964, 5, 0.6
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (low, high) == (pytest.approx(centre - half), pytest.approx(centre + half))


def test_the_json_shape() -> None:
    value = single_label_metrics(PROBABILITIES, Y_TRUE, LABELS, failures=failures(1)).to_json()
    assert list(value) == [
        "schema", "accuracy", "accuracy_interval", "top5_accuracy", "macro_f1", "ece", "videos",
        "failed", "per_class", "confusion", "labels", "failed_by_class",
    ]  # fmt: skip
    assert value["schema"] == 1
    assert isinstance(value["accuracy_interval"], list)
    assert json.loads(json.dumps(value)) == value


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(7, 60), st.integers(6, 9))
def test_the_same_as_scikit_learn(seed: int, count: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), count)
    y_true = rng.integers(0, classes, count)
    metrics = single_label_metrics(probabilities, y_true, [str(k) for k in range(classes)])
    predicted = probabilities.argmax(1)
    assert metrics.accuracy == pytest.approx(accuracy_score(y_true, predicted))
    assert metrics.top5_accuracy == pytest.approx(
        top_k_accuracy_score(y_true, probabilities, k=5, labels=np.arange(classes))
    )
    occurring = np.unique(y_true)
    assert metrics.macro_f1 == pytest.approx(
        f1_score(y_true, predicted, labels=occurring, average="macro", zero_division=0)
    )
    low, high = metrics.accuracy_interval
    assert 0 <= low <= metrics.accuracy <= high <= 1
    assert 0 <= metrics.ece <= 1
    assert np.sum(metrics.confusion) == metrics.videos == count


def test_calibration_of_sure_and_right_sure_and_wrong_and_honest() -> None:
    sure = np.ones(4)
    assert calibration_error(sure, np.ones(4, bool)) == 0
    assert calibration_error(sure, np.zeros(4, bool)) == 1
    honest = np.array([True] * 3 + [False])
    assert calibration_error(np.full(4, 0.75), honest) == pytest.approx(0)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"probabilities \(5, 3\) for 4 clips and 3 labels"):
        single_label_metrics(PROBABILITIES, Y_TRUE[:4], LABELS)
    with pytest.raises(ShapeError, match=r"for 5 clips and 2 labels"):
        single_label_metrics(PROBABILITIES, Y_TRUE, LABELS[:2])
    with pytest.raises(ShapeError, match=r"probabilities \(0, 3\) for 0 clips"):
        single_label_metrics(PROBABILITIES[:0], Y_TRUE[:0], LABELS)
