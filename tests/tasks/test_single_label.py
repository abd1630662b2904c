from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.config import TaskConfig
from vidclass.errors import ConfigError
from vidclass.tasks.single_label import SingleLabelDecision, SingleLabelTask

TASK = SingleLabelTask(("a", "b"))


def confident(*tops: float) -> NDArray[np.float64]:
    """Probabilities of two classes; the first has these."""
    return np.stack([np.array(tops), 1 - np.array(tops)], 1)


def test_targets_are_class_indices() -> None:
    targets = TASK.targets(["b", "a", "b"])
    assert targets.dtype == np.int64
    assert targets.tolist() == [1, 0, 1]
    assert TASK.unknown_labels(["a", "c", "b", "bg"]) == ["bg", "c"]


def test_a_clip_is_unknown_only_if_that_is_asked() -> None:
    task = SingleLabelTask(("a", "b", "c"), unknown_below=0.6)
    unsure, sure = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.6, 0.2])
    plain = task.decide(unsure)
    assert plain == SingleLabelDecision("a", 0.5)
    assert (plain.text(), plain.cells(), plain.to_json(), task.columns()) == ("", [], {}, [])
    rejected = task.decide(unsure, unknown=True)
    assert rejected == SingleLabelDecision(None, 0.5, unknown=True)
    assert (rejected.text(), rejected.cells()) == ("unknown", ["true"])
    assert rejected.to_json() == {"unknown": True}
    accepted = task.decide(sure, unknown=True)
    assert accepted == SingleLabelDecision("b", 0.6, unknown=False)
    assert (accepted.text(), accepted.cells()) == ("", ["false"])
    assert task.columns(unknown=True) == ["unknown"]


def test_unknown_takes_a_threshold() -> None:
    SingleLabelTask(("a", "b"), unknown_below=0.5).require_unknown("x.vidclass")
    with pytest.raises(ConfigError, match=r"^x\.vidclass has no probability .*unknown=True$"):
        TASK.require_unknown("x.vidclass")


def test_a_threshold_for_unknown_clips_is_chosen_or_a_note_says_why_not() -> None:
    sure = (np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.7, 0.3], [0.8, 0.2]]))
    assert TASK.calibrated(sure, TaskConfig())[0].unknown_below is None
    asked = TaskConfig(kind="single-label", unknown=True)
    assert TASK.calibrated(sure, asked)[0].unknown_below == 0.7
    precise = TaskConfig(kind="single-label", unknown=True, unknown_precision=1.0)
    assert TASK.calibrated(sure, precise)[0].unknown_below == 0.9
    task, notes = TASK.calibrated((np.ones(3, int), sure[1]), asked)
    assert task == TASK
    assert notes == ("no threshold for unknown clips: no validation clip is classified correctly",)
    assert TASK.calibrated((1 - sure[0], sure[1]), precise) == (
        TASK,
        (
            "no threshold for unknown clips: at no probability are 100 % of the validation clips "
            "above it classified correctly",
        ),
    )
    assert TASK.calibrated(None, asked) == (
        TASK,
        ("no threshold for unknown clips: there is no validation clip",),
    )


def test_metrics_tell_the_effect_of_rejection() -> None:
    task = SingleLabelTask(("a", "b"), unknown_below=0.6)
    metrics = task.metrics(
        confident(0.55, 0.6, 0.8, 0.9), np.array([1, 0, 0, 0]), unknown=confident(0.5, 0.7)
    )
    rejection = metrics.rejection
    assert rejection is not None
    assert (rejection.accepted, rejection.coverage) == (3, 0.75)
    assert rejection.accuracy_on_accepted == 1.0
    assert (rejection.unknown_videos, rejection.unknown_rejected) == (2, 0.5)
    assert rejection.auroc == pytest.approx(6 / 8)
    assert metrics.accuracy == 0.75  # over all clips, as ever
    assert json.loads(json.dumps(metrics.to_json()))["rejection"]["unknown_below"] == 0.6
    assert metrics.details() == [
        "unknown below 60.0 %: 3 of 4 clips accepted (75.0 %), accuracy on these 100.0 %",
        "clips of other classes: 50.0 % of 2 refused; AUROC of the highest probability 0.750",
    ]


def test_folds_reject_by_thresholds_of_their_own() -> None:
    probabilities, y_true = confident(0.6, 0.9), np.array([0, 0])
    inside = np.array([True, False])
    assert TASK.metrics(probabilities, y_true).rejection is None
    plain = [(TASK, inside), (TASK, ~inside)]
    assert TASK.pooled_metrics(probabilities, y_true, plain).rejection is None
    folds = [(SingleLabelTask(("a", "b"), unknown_below=0.7), inside), (TASK, ~inside)]
    rejection = TASK.pooled_metrics(probabilities, y_true, folds).rejection
    assert rejection is not None
    assert (rejection.unknown_below, rejection.coverage) == (None, 0.5)
