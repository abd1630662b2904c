"""From frames to features, and from clips to one padded array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_network import FakeMaker, MeanColour
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidclass.errors import VideoError
from vidclass.features.clip import BATCH_FRAMES, decode_for, features_of, padded
from vidclass.types import ClipFeatures, FrameBatch, Span


def batch(frames: int) -> FrameBatch:
    pictures = np.random.default_rng(1).integers(0, 256, (frames, 4, 5, 3), np.uint8)
    return FrameBatch(pictures, np.arange(frames) / 7)


@pytest.mark.parametrize("count", [1, BATCH_FRAMES, BATCH_FRAMES + 1, 2 * BATCH_FRAMES + 3])
def test_long_clips_go_through_in_parts_and_come_out_whole(count: int) -> None:
    network, given_batch = MeanColour(), batch(count)
    clip = features_of(network, given_batch)
    whole = MeanColour().run(frames=given_batch.frames).astype(np.float16)
    np.testing.assert_array_equal(clip.features, whole)
    np.testing.assert_array_equal(clip.timestamps_s, given_batch.timestamps_s)
    assert sum(network.batches) == count
    assert max(network.batches) <= BATCH_FRAMES


class Constant:
    """Gives one value whatever it sees."""

    def __init__(self, value: float) -> None:
        self._value = value

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        return np.full((len(inputs["frames"]), 2), self._value, np.float32)


@pytest.mark.parametrize(
    ("value", "kept"), [(1e6, 65504), (-np.inf, -65504), (0.1, float(np.float16(0.1)))]
)
def test_features_stay_within_float16(value: float, kept: float) -> None:
    features = features_of(Constant(value), batch(2)).features
    assert features.dtype == np.float16
    np.testing.assert_array_equal(features, kept)


def test_frames_are_decoded_as_the_settings_say(
    fake: FakeMaker, tiny_video: Callable[..., Path]
) -> None:
    decoded = decode_for(fake.maker(frames=3).config, tiny_video(), Span(0.2, 0.8))
    assert decoded.frames.shape == (3, 16, 16, 3)
    assert ((decoded.timestamps_s >= 0.2) & (decoded.timestamps_s < 0.8)).all()


def test_a_video_that_cannot_be_read_is_an_error(fake: FakeMaker, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="missing.avi"):
        decode_for(fake.maker().config, tmp_path / "missing.avi", Span())


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5), frames=st.integers(1, 5))
def test_padding_is_zero_and_masked(lengths: list[int], frames: int) -> None:
    rng = np.random.default_rng(0)
    clips = [
        ClipFeatures(rng.uniform(1, 2, (length, 3)).astype(np.float16), np.zeros(length))
        for length in lengths
    ]
    features, mask = padded(clips, frames)
    assert features.shape == (len(clips), frames, 3)
    assert (features.dtype, mask.dtype) == (np.float32, np.bool_)
    np.testing.assert_array_equal(mask.sum(1), np.minimum(lengths, frames))
    np.testing.assert_array_equal(mask, np.arange(frames) < mask.sum(1)[:, None])
    assert not features[~mask].any()
    for row, clip in zip(features, clips, strict=True):
        count = min(len(clip.features), frames)
        np.testing.assert_array_equal(row[:count], clip.features[:count].astype(np.float32))
