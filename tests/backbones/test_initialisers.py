"""Networks built without drawing random weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from vidclass.backbones.initialisers import zero_initialisers


def kernel(layer: keras.layers.Layer) -> np.ndarray:
    layer.build((1, 8, 8, 3))
    return np.asarray(layer.kernel)


@pytest.mark.parametrize(
    "initialiser",
    [
        "glorot_uniform",
        "HeNormal",
        {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}},
    ],
)
def test_random_initialisers_give_zeros_inside_alone(initialiser: object) -> None:
    with zero_initialisers():
        inside = keras.layers.Conv2D(4, 3, kernel_initializer=initialiser)
        assert not kernel(inside).any()
    assert kernel(keras.layers.Conv2D(4, 3, kernel_initializer=initialiser)).any()
    copy = keras.layers.Conv2D.from_config(inside.get_config())
    assert not kernel(copy).any()


def test_constant_initialisers_are_kept() -> None:
    with zero_initialisers():
        norm = keras.layers.BatchNormalization()
        norm.build((1, 4))
        constant = keras.layers.Dense(
            2, kernel_initializer={"class_name": "Constant", "config": {"value": 3.0}}
        )
        constant.build((1, 2))
    np.testing.assert_array_equal(norm.gamma, 1)
    np.testing.assert_array_equal(constant.kernel, 3)


def test_an_error_inside_restores_random_initialisers() -> None:
    with pytest.raises(ValueError, match="stop"), zero_initialisers():
        raise ValueError("stop")
    assert kernel(keras.layers.Conv2D(4, 3)).any()
