"""Weights files, random weights, and networks built without drawing random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from vidclass.backbones import get_backbone, zero_initialisers
from vidclass.backbones.keras_weights import load_weights_file, randomise
from vidclass.backbones.registry import build_backbone
from vidclass.errors import WeightsError


@pytest.fixture(scope="module")
def small() -> Any:
    return build_backbone("MobileNet", 32, "random")


def test_random_weights_keep_signals_alive(small: Any) -> None:
    frames = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    assert 1e-3 < np.abs(small.predict_on_batch(frames)).max() < 1e4


def test_random_weights_are_the_same_each_time(small: Any) -> None:
    before = small.get_weights()
    randomise(small)
    assert all(np.array_equal(a, b) for a, b in zip(before, small.get_weights(), strict=True))
    # The deviation of a kernel depends on the number of inputs that each of its outputs sums.
    kernels = [weight for weight in before if weight.ndim == 4 and weight.size > 50_000]
    for kernel in kernels:
        fan_in = np.prod(kernel.shape[:3])
        assert kernel.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.05)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "MobileNet"])
def test_a_missing_weights_file_is_named(name: str) -> None:
    message = rf"weights='mine.h5' of {name} is neither 'pretrained' nor 'random' nor a file"
    with pytest.raises(WeightsError, match=message):
        get_backbone(name).weights_id("mine.h5")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("content", ["no HDF5", "another network"])
def test_a_weights_file_that_does_not_fit_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.weights.h5"
    if content == "no HDF5":
        file.write_text(content)
    else:
        inputs = keras.Input((4,))
        keras.Model(inputs, keras.layers.Dense(3)(inputs)).save_weights(file)
    with pytest.raises(WeightsError, match=r"mine.weights.h5 does not hold weights of MobileNet: "):
        build_backbone("MobileNet", 32, str(file))


def test_a_missing_weights_file_is_named_by_the_loader_too(small: Any) -> None:
    with pytest.raises(WeightsError, match=r"weights='mine.h5' of MobileNet is neither"):
        load_weights_file(small, "MobileNet", "mine.h5")


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
