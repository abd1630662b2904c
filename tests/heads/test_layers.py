"""The layers, against numbers that were worked out by hand."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from vidclass.heads.attention import (
    AttentionPooling,
    SelfAttention,
    SinusoidalPositions,
    masked_softmax,
)
from vidclass.heads.layers import (
    BlockStandardize,
    FrameStandardize,
    MaskedMean,
    MeanAndDeviation,
    Prototypes,
    RealSteps,
    RollingAverage,
    TemporalPooling,
    TimeFlatten,
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


def test_mean_and_deviation_are_over_real_steps() -> None:
    pooled = np.asarray(MeanAndDeviation()(FEATURES, MASK))[0]
    np.testing.assert_allclose(pooled[0], FEATURES[0, :3].mean(0), rtol=1e-5)
    np.testing.assert_allclose(pooled[1], FEATURES[0, :3].std(0), rtol=1e-5)
    np.testing.assert_array_equal(MeanAndDeviation()(FEATURES, NOTHING), np.zeros((1, 2, 2)))


def test_real_steps_are_kept_and_the_others_are_zero() -> None:
    dirty = FEATURES.copy()
    dirty[0, 3] = np.nan
    kept = np.asarray(RealSteps()(dirty, MASK))
    np.testing.assert_array_equal(kept[0, :3], FEATURES[0, :3])
    np.testing.assert_array_equal(kept[0, 3], [0, 0])


def test_frame_standardize_measures_real_frames_only() -> None:
    layer = FrameStandardize()
    layer(FEATURES, MASK)
    layer.adapt_to(FEATURES, MASK)
    scaled = np.asarray(layer(FEATURES, MASK))[0]
    np.testing.assert_allclose(scaled[:3].mean(0), [0, 0], atol=1e-6)
    np.testing.assert_allclose((scaled[:3] ** 2).sum(1).mean(), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(scaled[3], [0, 0])
    before = [np.asarray(weight) for weight in layer.weights]
    layer.adapt_to(FEATURES, NOTHING)  # nothing to measure changes nothing
    for weight, old in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_rolling_average_is_over_the_last_real_steps() -> None:
    chances = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]], np.float32)
    steps = np.log(chances)[None]
    last_two = np.exp(np.asarray(RollingAverage(2)(steps, MASK)))
    np.testing.assert_allclose(last_two, [[0.4, 0.6]], rtol=1e-5)
    np.testing.assert_allclose(
        np.exp(np.asarray(RollingAverage(128)(steps, MASK))), [chances[:3].mean(0)], rtol=1e-5
    )
    nothing = np.asarray(RollingAverage(2)(steps, NOTHING))
    assert nothing[0, 0] == nothing[0, 1]
    assert np.isfinite(nothing).all()


def test_prototypes_begin_as_the_directions_of_the_classes() -> None:
    clips = np.array([[2.0, 0.0], [4.0, 0.0], [0.0, 3.0]], np.float32)
    layer = Prototypes(3)
    layer(clips)
    layer.adapt_to_classes(clips, np.array([0, 0, 1]))
    answer = np.asarray(layer(clips))
    np.testing.assert_allclose(answer[:, :2], [[8, 0], [8, 0], [0, 8]], atol=1e-5)
    np.testing.assert_allclose(np.asarray(layer(np.zeros((1, 2), np.float32))), [[0, 0, 0]])


def test_positions_count_real_steps_alone() -> None:
    code = np.asarray(SinusoidalPositions()(np.zeros((1, 4, 2), np.float32), MASK))[0]
    np.testing.assert_allclose(code[:3], [[np.sin(k), np.cos(k)] for k in (1, 2, 3)], rtol=1e-5)
    gap = np.array([[False, True, False, True]])
    late = np.asarray(SinusoidalPositions()(np.zeros((1, 4, 2), np.float32), gap))[0]
    np.testing.assert_allclose(late[[1, 3]], code[[0, 1]], rtol=1e-5)


def test_masked_softmax_is_softmax_among_real_steps() -> None:
    scores = np.array([[0.0, math.log(3), 50.0]], np.float32)
    real = np.array([[True, True, False]])
    np.testing.assert_allclose(masked_softmax(scores, real), [[0.25, 0.75, 0.0]], rtol=1e-5)
    np.testing.assert_array_equal(masked_softmax(scores, ~np.ones((1, 3), bool)), [[0, 0, 0]])


def test_self_attention_is_a_weighted_sum_of_real_values() -> None:
    layer = SelfAttention(1, 0.0)
    layer(FEATURES, MASK)
    nothing, same = np.zeros((2, 2), np.float32), np.eye(2, dtype=np.float32)
    # Without a query all real steps count alike: the mean of their values.
    layer.set_weights([np.concatenate([nothing, nothing, same], 1), same])
    out = np.asarray(layer(FEATURES, MASK))
    np.testing.assert_allclose(out[0, :3], np.tile([4.0, 20.0], (3, 1)), rtol=1e-5)
    with pytest.raises(ValueError, match="units=2 cannot be divided among heads=3"):
        SelfAttention(3, 0.0)(FEATURES, MASK)


def test_time_flatten_drops_the_one_step() -> None:
    assert TimeFlatten()(FEATURES[:, :1]).shape == (1, 2)


@pytest.mark.parametrize(
    "layer", [TemporalPooling, MaskedMean, MeanAndDeviation, AttentionPooling, RealSteps]
)
def test_what_is_pooled_has_no_mask(layer: type[keras.layers.Layer]) -> None:
    assert layer().compute_mask(FEATURES, MASK) is None
