"""The layers, against numbers that were worked out by hand."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from vidclass.heads.layers import (
    AttentionPooling,
    BlockStandardize,
    MaskedMean,
    TemporalPooling,
    masked_mean,
)

FEATURES = np.array([[[1.0, 10.0], [3.0, 30.0], [8.0, 20.0], [99.0, 99.0]]], np.float32)
MASK = np.array([[True, True, True, False]])
NOTHING = np.zeros((1, 4), bool)


def test_masked_mean_is_over_real_steps() -> None:
    np.testing.assert_allclose(masked_mean(FEATURES, MASK), [[4.0, 20.0]])
    np.testing.assert_allclose(MaskedMean()(FEATURES, MASK), [[[4.0, 20.0]]])
    np.testing.assert_allclose(masked_mean(FEATURES, NOTHING), [[0.0, 0.0]])


def test_temporal_pooling_is_mean_change_and_two_cosines() -> None:
    half = math.cos(math.pi / 6)  # of the phases 30, 90 and 150 degrees: c, 0, -c
    pooled = np.asarray(TemporalPooling()(FEATURES, MASK))
    assert pooled.shape == (1, 4, 2)
    np.testing.assert_allclose(pooled[0, 0], [4.0, 20.0], rtol=1e-5)
    np.testing.assert_allclose(pooled[0, 1], [(2 + 5) / 2, (20 + 10) / 2], rtol=1e-5)
    np.testing.assert_allclose(pooled[0, 2], [half * (1 - 8) / 3, half * (10 - 20) / 3], rtol=1e-5)
    # Of the phases 60, 180 and 300 degrees: a half, minus one, a half.
    np.testing.assert_allclose(pooled[0, 3], [(0.5 - 3 + 4) / 3, (5 - 30 + 10) / 3], rtol=1e-4)


def test_temporal_pooling_of_nothing_and_of_one_step() -> None:
    np.testing.assert_array_equal(TemporalPooling()(FEATURES, NOTHING), np.zeros((1, 4, 2)))
    one = np.asarray(TemporalPooling()(FEATURES[:, :1], np.array([[True]])))
    np.testing.assert_allclose(one[0], [[1, 10], [0, 0], [0, 0], [-1, -10]], atol=1e-5)


def test_temporal_pooling_counts_change_only_between_neighbours() -> None:
    gap = np.array([[True, False, True, True]])
    change = np.asarray(TemporalPooling()(FEATURES, gap))[0, 1]
    np.testing.assert_allclose(change, [91.0, 79.0])  # 99 - 8 and 99 - 20: the only whole pair


def test_block_standardize_centres_features_and_scales_blocks() -> None:
    values = np.array([[[0.0, 4.0], [1.0, 1.0]], [[2.0, 8.0], [1.0, 1.0]]], np.float32)
    layer = BlockStandardize()
    np.testing.assert_allclose(layer(values), values.reshape(2, 4))  # before it has seen any
    layer.adapt_to(values)
    # First block: variances 1 and 4, so a length of sqrt(5); the second one never varies.
    length = np.sqrt(5)
    np.testing.assert_allclose(
        layer(values), [[-1 / length, -2 / length, 0, 0], [1 / length, 2 / length, 0, 0]], atol=1e-6
    )
    nearly_still = values + np.array([[[0, 0], [0.001, 0]]], np.float32)
    change = np.asarray(layer(nearly_still) - layer(values))[0, 2]
    np.testing.assert_allclose(
        change, 0.001 / (0.01 * length), rtol=1e-3
    )  # held back, no explosion
    assert layer.trainable_weights == []


def test_attention_pooling_is_a_softmax_over_real_steps() -> None:
    layer = AttentionPooling()
    layer(FEATURES, MASK)
    layer.set_weights([np.array([[math.log(2)], [0.0]], np.float32)])
    weights = np.array([2.0**1, 2.0**3, 2.0**8])
    expected = (weights[:, None] * FEATURES[0, :3]).sum(0) / weights.sum()
    np.testing.assert_allclose(layer(FEATURES, MASK), [expected], rtol=1e-5)
    np.testing.assert_array_equal(layer(FEATURES, NOTHING), [[0.0, 0.0]])


def test_attention_pooling_ignores_how_high_padding_scores() -> None:
    layer = AttentionPooling()
    layer(FEATURES, MASK)
    layer.set_weights([np.array([[1.0], [0.0]], np.float32)])
    low = FEATURES * np.float32(-20)  # real scores of -20 to -160, a padded one of -1980
    np.testing.assert_allclose(layer(-low, ~MASK), [[1980.0, 1980.0]], rtol=1e-5)
    np.testing.assert_allclose(layer(low, MASK)[0, 0], -20.0, rtol=1e-5)


@pytest.mark.parametrize("layer", [TemporalPooling, MaskedMean, AttentionPooling])
def test_what_is_pooled_has_no_mask(layer: type[keras.layers.Layer]) -> None:
    assert layer().compute_mask(FEATURES, MASK) is None
