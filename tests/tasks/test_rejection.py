from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.tasks.rejection import (
    measure_rejection,
    threshold_for_precision,
    threshold_keeping,
)


def confident(*tops: float) -> NDArray[np.float64]:
    """Probabilities of two classes; the first has these."""
    return np.stack([np.array(tops), 1 - np.array(tops)], 1)


def test_a_threshold_keeps_its_share_of_correct_decisions() -> None:
    probabilities = confident(*np.linspace(0.55, 0.97, 20))
    y_true = np.zeros(20, int)
    threshold = threshold_keeping(probabilities, y_true)
    assert (probabilities.max(1) >= (threshold or 0)).sum() == 19
    assert threshold_keeping(probabilities, y_true, keep=1.0) == pytest.approx(0.55)
    assert threshold_keeping(probabilities, y_true + 1) is None


def test_a_threshold_has_the_precision_asked_for_and_is_the_lowest() -> None:
    probabilities = confident(0.55, 0.6, 0.7, 0.8, 0.9)
    y_true = np.array([1, 0, 1, 0, 0])
    assert threshold_for_precision(probabilities, y_true, precision=0.6) == 0.55
    assert threshold_for_precision(probabilities, y_true, precision=0.75) == 0.6
    assert threshold_for_precision(probabilities, y_true, precision=1.0) == 0.8
    assert threshold_for_precision(probabilities, 1 - y_true, precision=1.0) is None


def test_nothing_accepted_is_a_case() -> None:
    rejection = measure_rejection(
        confident(0.6), np.array([0]), np.array([False]), unknown_below=0.99
    )
    assert (rejection.coverage, rejection.accuracy_on_accepted, rejection.auroc) == (0, None, None)
