"""Many clips at a time: full batches across clips, in order, with nothing lost between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fake_network import MeanColour
from vidclass._core.parallel import Done
from vidclass.errors import RuntimeRouteError, VideoError
from vidclass.features import pipeline
from vidclass.types import FrameBatch


def stream_features(
    items: Iterable[int], decode: Callable[[int], FrameBatch], network: Any
) -> Generator[Done[int, pipeline.ExtractedClip], None, None]:
    return pipeline.stream_features(items, decode, network, video_of=lambda item: f"{item}.avi")


def batch(frames: int, seed: int = 1) -> FrameBatch:
    frames_rgb = np.random.default_rng(seed).integers(0, 256, (frames, 4, 5, 3), np.uint8)
    return FrameBatch(frames_rgb, np.arange(frames) / 7)


def decode_from(lengths: list[int | None]) -> Callable[[int], FrameBatch]:
    """Clip number k has `lengths[k]` frames; None stands for one that cannot be read."""

    def decode(number: int) -> FrameBatch:
        length = lengths[number]
        if length is None:
            raise VideoError(f"{number}.avi", "it is empty")
        return batch(length, seed=number)

    return decode


@given(
    lengths=st.lists(st.none() | st.integers(1, 11), max_size=12),
    size=st.integers(1, 7),
    parallel=st.integers(1, 3),
)
def test_each_clip_gets_its_own_features_whatever_shares_its_batches(
    lengths: list[int | None], size: int, parallel: int
) -> None:
    network = MeanColour()
    network.batch_frames, network.parallel = size, parallel
    results = list(stream_features(range(len(lengths)), decode_from(lengths), network))
    assert [done.item for done in results] == list(range(len(lengths)))
    for done, length in zip(results, lengths, strict=True):
        if length is None:
            assert done.result is None
            assert isinstance(done.error, VideoError)
            continue
        assert done.result is not None
        frames = batch(length, seed=done.item)
        expected = MeanColour().run(frames=frames.frames).astype(np.float16)
        np.testing.assert_array_equal(done.result.features.features, expected)
        np.testing.assert_array_equal(done.result.features.timestamps_s, frames.timestamps_s)
        np.testing.assert_array_equal(done.result.frames.frames, frames.frames)
    total = sum(length or 0 for length in lengths)
    full, rest = divmod(total, size)
    assert sorted(network.batches) == sorted([size] * full + ([rest] if rest else []))


class Constant(MeanColour):
    """Gives one value whatever it sees, but for frames that are all black."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        black = ~inputs["frames"].any((1, 2, 3))
        return np.where(black, 0, self._value).astype(np.float32)[:, None] * np.ones(2, np.float32)


@pytest.mark.parametrize(("value", "kept"), [(1e6, 65504), (-1e6, -65504), (0.1, 0.1)])
def test_features_stay_within_float16(value: float, kept: float) -> None:
    (done,) = stream_features([0], lambda _: batch(2), Constant(value))
    assert done.result is not None
    features = done.result.features.features
    assert features.dtype == np.float16
    np.testing.assert_array_equal(features, np.float16(kept))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_fail_the_clip_and_no_other(value: float) -> None:
    dark = FrameBatch(np.zeros((3, 4, 5, 3), np.uint8), np.arange(3.0))
    clips = [dark, batch(2), dark]
    results = list(stream_features([0, 1, 2], lambda number: clips[number], Constant(value)))
    assert [done.result is not None for done in results] == [True, False, True]
    error = results[1].error
    assert isinstance(error, VideoError)
    assert error.stage == "extract"
    assert str(error).startswith(
        "1.avi: the backbone returned NaN or infinity for 2 of its 2 frames, first for the one "
        "at 0.00 s. Look at that frame"
    )


class Broken(MeanColour):
    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        raise RuntimeRouteError("out of order")


def test_a_network_that_fails_ends_the_work() -> None:
    with pytest.raises(RuntimeRouteError, match="out of order"):
        list(stream_features([0], lambda _: batch(2), Broken()))


def test_decoding_waits_for_the_network() -> None:
    """However many clips there are, only a few are in memory."""
    decoded = 0
    lock = threading.Lock()

    def decode(number: int) -> FrameBatch:
        nonlocal decoded
        with lock:
            decoded += 1
        return batch(4)

    results = stream_features(range(10_000), decode, MeanColour())
    for count in range(1, 20):
        next(results)
        time.sleep(0.005)
        assert decoded <= count + 40
    results.close()
    assert decoded < 100


def test_decoding_and_network_overlap() -> None:
    """Each waits for the other once, which a decoder that runs first or last could not do."""
    rendezvous = threading.Barrier(2, timeout=20)

    class Waiting(MeanColour):
        def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
            if not self.batches:
                rendezvous.wait()
            return super().run(**inputs)

    def decode(number: int) -> FrameBatch:
        if number == 2:
            rendezvous.wait()
        return batch(4)

    assert len(list(stream_features(range(4), decode, Waiting()))) == 4
