"""Layers to train, their learning rates, and layers that train quickly on a processor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tune_child import tiny_network
from vidclass.backbones.keras_weights import weights_owner
from vidclass.config import FinetuneConfig
from vidclass.errors import ConfigError
from vidclass.finetuning.loop import rate_at
from vidclass.finetuning.model import (
    EachFrame,
    LayerwiseAdamW,
    ShiftedDepthwiseConv2D,
    correct,
    leaves,
    quick_twin,
    rate_factors,
    soft_loss,
    stages,
    unfreeze,
)


def named(*names: str) -> list[Any]:
    return [SimpleNamespace(name=name, weights=[name]) for name in names]


def of(layers: list[Any]) -> list[list[str]]:
    return [[layer.name for layer in stage.layers] for stage in stages(layers)]


def test_stages_are_the_blocks_in_the_names_and_what_stands_between_them() -> None:
    lite = named("stem_conv", "stem_bn", "block0_conv", "block1_a", "block1_b", "head_conv")
    assert of(lite) == [
        ["stem_conv", "stem_bn"], ["block0_conv"], ["block1_a", "block1_b"], ["head_conv"]
    ]  # fmt: skip
    assert [stage.is_block for stage in stages(lite)] == [False, True, True, False]
    efficient = named("stem", "block1a_dw", "block1b_dw", "block10a_dw")
    assert of(efficient) == [["stem"], ["block1a_dw"], ["block1b_dw"], ["block10a_dw"]]
    # The branches of a block need not stand side by side.
    resnet = named("conv1", "conv2_block1_0", "conv2_block2_1", "conv2_block1_1", "conv3_block1_1")
    assert of(resnet) == [
        ["conv1"], ["conv2_block1_0", "conv2_block1_1"], ["conv2_block2_1"], ["conv3_block1_1"]
    ]  # fmt: skip
    mobile = named("Conv1", "block_1_expand", "block_10_expand", "Conv_1")
    assert of(mobile) == [["Conv1"], ["block_1_expand"], ["block_10_expand"], ["Conv_1"]]
    convnext = named("tiny_stage_0_block_0_a", "tiny_stage_0_block_0_b", "tiny_stage_1_block_0_a")
    assert [len(stage.layers) for stage in stages(convnext)] == [2, 1]


def test_a_network_without_named_blocks_has_ten() -> None:
    parts = stages(named(*(f"conv2d_{number}" for number in range(25))))
    assert len(parts) == 10
    assert sum(len(stage.layers) for stage in parts) == 25
    assert all(stage.is_block for stage in parts)
    assert len(stages(named("a", "b"))) == 2


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (1, ["block1_depth"]),
        (2, ["block0_conv", "block1_depth"]),
        ("all", ["block0_conv", "block1_depth"]),
        (0.5, ["block1_depth"]),
        (0.51, ["block0_conv", "block1_depth"]),
    ],
)
def test_unfreeze_leaves_batch_norms_and_the_first_layers(
    setting: int | float | str, expected: list[str]
) -> None:
    network = tiny_network()
    trained = unfreeze(leaves(network), setting)
    names = [layer.name for layer in leaves(network) if layer.trainable_weights]
    assert names == expected
    assert [stage.layers[0].name for stage in trained] == expected[::-1]


def test_more_blocks_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"unfreeze=3: the backbone has 2 blocks\. Give at most"):
        unfreeze(leaves(tiny_network()), 3)


def test_rates_fall_from_the_head_down() -> None:
    network = tiny_network()
    trained = unfreeze(leaves(network), "all")
    head = keras.Variable(np.zeros((2, 2), np.float32))
    variables = [*network.trainable_variables, head]
    config = FinetuneConfig(backbone_rate=0.5, layer_decay=0.25)
    # Kernel and bias of each block.
    assert rate_factors(variables, trained, config) == [0.125, 0.125, 0.5, 0.5, 1.0]


def test_the_rate_rises_and_then_falls_to_zero() -> None:
    rates = [rate_at(step, 100, highest=2.0, warmup=0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == 2.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert rate_at(0, 1, highest=1.0, warmup=0.0) == 1.0


def test_the_optimizer_moves_each_variable_at_its_rate() -> None:
    fast, slow = (keras.Variable(np.ones((2, 2), np.float32)) for _ in range(2))
    gain = keras.Variable(np.ones(2, np.float32))
    optimizer = LayerwiseAdamW([1.0, 0.1, 1.0], decay=0.5, learning_rate=0.01)
    optimizer.build([fast, slow, gain])
    gradients = [keras.ops.ones((2, 2)), keras.ops.ones((2, 2)), keras.ops.zeros(2)]
    optimizer.apply(gradients, [fast, slow, gain])
    # Adam's first step is the rate itself; decay takes half a rate more.
    np.testing.assert_allclose(np.asarray(fast), 1 - 0.01 - 0.005, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(slow), 1 - 0.001 - 0.0005, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(gain), 1.0)


def test_an_empty_row_costs_nothing_and_is_never_right() -> None:
    targets = np.array([[0.0, 2.0], [0.0, 0.0]], np.float32)
    logits = np.array([[0.0, 0.0], [3.0, 0.0]], np.float32)
    np.testing.assert_allclose(np.asarray(soft_loss(targets, logits)), [2 * np.log(2), 0], 1e-6)
    assert np.asarray(correct(targets, logits[:, ::-1])).tolist() == [0.0, 0.0]
    assert np.asarray(correct(targets, -logits - [[1, 0]])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 8), (3, 2, 9), (5, 2, 8)])
def test_the_shifted_convolution_gives_the_same_numbers(
    padding: str, kernel: int, stride: int, side: int
) -> None:
    frames = keras.Input((side, side, 4))
    layer = keras.layers.DepthwiseConv2D(kernel, strides=stride, padding=padding)
    network = keras.Model(frames, layer(frames))
    network.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in network.weights])
    twin = quick_twin(network)
    assert isinstance(twin.layers[-1], ShiftedDepthwiseConv2D)
    images = np.random.default_rng(0).normal(size=(2, side, side, 4)).astype(np.float32)
    mine, theirs = np.asarray(twin(images)), np.asarray(network(images))
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_a_network_without_depthwise_convolutions_is_its_own_twin() -> None:
    frames = keras.Input((8, 8, 3))
    network = keras.Model(frames, keras.layers.Conv2D(2, 3)(frames))
    assert quick_twin(network) is network


def test_remat_gives_the_same_features() -> None:
    network = tiny_network()
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16, 3), dtype=np.uint8)
    plain, again = (EachFrame(network, remat=remat)(frames) for remat in (False, True))
    assert plain.shape == (2, 3, 8)
    np.testing.assert_allclose(np.asarray(plain), np.asarray(again), atol=1e-6)


def test_a_weights_file_is_of_the_network_behind_its_preprocessing() -> None:
    inner = tiny_network()
    assert weights_owner(inner) is inner
    frames = keras.Input((16, 16, 3))
    assert weights_owner(keras.Model(frames, inner(frames / 2))) is inner
    more = keras.Model(frames, keras.layers.Dense(2)(inner(frames)))
    assert weights_owner(more) is more
