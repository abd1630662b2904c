from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from vidclass.tasks.thresholds import MIN_POSITIVES, best_thresholds


def test_thresholds_have_the_highest_f1_there_is() -> None:
    rng = np.random.default_rng(3)
    y_true = (rng.random((80, 3)) < [0.2, 0.5, 0.7]).astype(np.float32)
    probabilities = np.clip(0.3 * y_true + rng.random((80, 3)) * 0.7, 0, 1)
    for k, threshold in enumerate(best_thresholds(probabilities, y_true)):
        reached = f1_score(y_true[:, k], probabilities[:, k] >= threshold)
        for other in np.linspace(0, 1, 201):
            assert reached >= f1_score(y_true[:, k], probabilities[:, k] >= other) - 1e-12


def test_a_threshold_lies_between_the_two_it_separates() -> None:
    probabilities = np.r_[np.full(6, 0.2), np.full(6, 0.4)][:, None]
    y_true = np.r_[np.zeros(6), np.ones(6)][:, None]
    assert best_thresholds(probabilities, y_true) == (pytest.approx(0.3),)


@pytest.mark.parametrize("positives", [MIN_POSITIVES - 1, 21 - MIN_POSITIVES])
def test_too_few_clips_on_a_side_leave_a_half(positives: int) -> None:
    y_true = (np.arange(20) < positives).astype(float)[:, None]
    assert best_thresholds(0.1 * y_true + 0.1, y_true) == (0.5,)
    assert best_thresholds(0.1 * y_true[:10] + 0.1, (np.arange(10) < 5)[:, None]) != (0.5,)
