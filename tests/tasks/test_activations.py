from __future__ import annotations

import numpy as np

from vidclass.tasks.activations import sigmoid, softmax


def test_softmax_is_stable() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4], [0, -1e5]])), [[0.5, 0.5], [1, 0]])


def test_sigmoid_is_stable() -> None:
    np.testing.assert_array_equal(sigmoid(np.array([1e5, -1e5, 0.0])), [1, 0, 0.5])
