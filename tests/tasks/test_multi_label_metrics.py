from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score

from vidclass.errors import ShapeError
from vidclass.tasks.metrics import single_label_metrics
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.tasks.multi_label_metrics import multi_label_metrics

LABELS = ("a", "b", "c")


def noisy(clips: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Probabilities that know something of the targets (N,3)."""
    rng = np.random.default_rng(0)
    y_true = (rng.random((clips, 3)) < [0.2, 0.5, 0.7]).astype(np.float32)
    return np.clip(0.3 * y_true + rng.random((clips, 3)) * 0.7, 0, 1), y_true


def test_metrics_agree_with_scikit_learn() -> None:
    probabilities, y_true = noisy(60)
    assigned = probabilities >= 0.5
    metrics = multi_label_metrics(probabilities, y_true, LABELS, assigned=assigned)
    expected = [average_precision_score(y_true[:, k], probabilities[:, k]) for k in range(3)]
    assert metrics.mean_average_precision == pytest.approx(np.mean(expected))
    assert metrics.micro_f1 == pytest.approx(f1_score(y_true, assigned, average="micro"))
    assert metrics.macro_f1 == pytest.approx(f1_score(y_true, assigned, average="macro"))
    assert metrics.exact_match == metrics.accuracy == (assigned == (y_true > 0)).all(1).mean()
    low, high = metrics.accuracy_interval
    assert low < metrics.accuracy < high
    assert metrics.per_class["a"]["videos"] == y_true[:, 0].sum()


def test_first_labels_and_none_of_these_are_counted() -> None:
    y_true = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    probabilities = np.array([[0.9, 0.8, 0.1], [0.7, 0.6, 0.1], [0.1, 0.2, 0.3], [0.8, 0.0, 0.0]])
    task = MultiLabelTask(LABELS, "bg", thresholds=(0.5, 0.5, 0.5))
    failures = {"failed": 2, "failed_by_class": {"a": 2}}
    metrics = task.metrics(probabilities, y_true, failures=failures)  # type: ignore[arg-type]
    # Right: the first clip's first label, and that the third has none.
    assert metrics.label_accuracy == 0.5
    assert metrics.exact_match == 0.25
    assert metrics.none_of_these == {"precision": 1, "recall": 0.5, "f1": 2 / 3, "videos": 2}
    assert metrics.average_precision["c"] is None
    assert metrics.mean_average_precision == pytest.approx((1 + 0.5) / 2)
    assert (metrics.failed, metrics.failed_by_class) == (2, {"a": 2})
    # Every class of every clip: nothing of a clip without labels is hidden.
    assert metrics.top5_accuracy == 1
    assert metrics.details() == [
        "none of these: precision 100.0 %, recall 50.0 %, F1 66.7 % on 2 clips"
    ]
    assert "all labels right 25.0 % (95 % interval" in metrics.summary()
    header, rows = metrics.class_table()
    assert header == ["class", "clips", "failed", "AP", "threshold", "precision", "recall", "F1"]
    assert rows[2] == ["c", "0", "0", "-", "0.50", "0.0 %", "0.0 %", "0.0 %"]


def test_json_adds_to_that_of_one_label_a_clip() -> None:
    probabilities, y_true = noisy(20)
    plain = single_label_metrics(np.eye(3), np.arange(3), LABELS).to_json()
    assert not {"task", "rejection"} & set(plain)
    task = MultiLabelTask(LABELS, thresholds=(0.4, 0.5, 0.6))
    text = json.dumps(task.metrics(probabilities, y_true).to_json(), allow_nan=False)
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


def test_folds_assign_by_thresholds_of_their_own() -> None:
    probabilities, y_true = noisy(20)
    inside = np.arange(20) < 10
    low, high = (MultiLabelTask(LABELS, thresholds=(value,) * 3) for value in (0.0, 1.1))
    metrics = high.pooled_metrics(
        probabilities, np.repeat(inside[:, None], 3, 1), [(low, inside), (high, ~inside)]
    )
    assert metrics.accuracy == 1.0
    assert [row["threshold"] for row in metrics.to_json()["per_class"].values()] == [None] * 3
    assert metrics.class_cells("a")[1] == "by fold"
    values = metrics.pooled_json([low.metrics(probabilities, y_true)] * 2)
    assert values["mean_average_precision_std"] == 0
    assert {"task", "per_class", "micro_f1"} <= set(values)


def test_a_class_that_never_occurs_is_in_no_average() -> None:
    metrics = multi_label_metrics(
        np.full((3, 2), 0.1),
        np.zeros((3, 2), np.float32),
        ("a", "b"),
        assigned=np.zeros((3, 2), bool),
    )
    assert metrics.mean_average_precision is None
    assert (metrics.macro_f1, metrics.top5_accuracy, metrics.accuracy) == (0, 0, 1)


def test_arrays_of_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"targets \(2, 3\) and assigned \(2, 2\) for 3 labels"):
        multi_label_metrics(
            np.zeros((2, 3)), np.zeros((2, 3)), LABELS, assigned=np.zeros((2, 2), bool)
        )
