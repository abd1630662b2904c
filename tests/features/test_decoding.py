"""Clips are decoded as a setting asks, and padded into arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_network import FakeExtractor
from vidclass.errors import VideoError
from vidclass.features.decoding import decode_for, pad_clips
from vidclass.types import ClipFeatures, Span


def test_frames_are_decoded_as_the_settings_say(
    fake: FakeExtractor, tiny_video: Callable[..., Path]
) -> None:
    decoded = decode_for(fake.extractor(frames=3).config, tiny_video(), Span(0.2, 0.8))
    assert decoded.frames.shape == (3, 16, 16, 3)
    assert ((decoded.timestamps_s >= 0.2) & (decoded.timestamps_s < 0.8)).all()


def test_a_video_that_cannot_be_read_is_an_error(fake: FakeExtractor, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="missing.avi"):
        decode_for(fake.extractor().config, tmp_path / "missing.avi", Span())


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5), frames=st.integers(1, 5))
def test_padding_is_zero_and_masked(lengths: list[int], frames: int) -> None:
    rng = np.random.default_rng(0)
    clips = [
        ClipFeatures(rng.uniform(1, 2, (length, 3)).astype(np.float16), np.zeros(length))
        for length in lengths
    ]
    features, mask = pad_clips(clips, frames)
    assert features.shape == (len(clips), frames, 3)
    assert (features.dtype, mask.dtype) == (np.float32, np.bool_)
    np.testing.assert_array_equal(mask.sum(1), np.minimum(lengths, frames))
    np.testing.assert_array_equal(mask, np.arange(frames) < mask.sum(1)[:, None])
    assert not features[~mask].any()
    for row, clip in zip(features, clips, strict=True):
        count = min(len(clip.features), frames)
        np.testing.assert_array_equal(row[:count], clip.features[:count].astype(np.float32))
