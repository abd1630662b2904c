from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidclass.config import SamplingConfig
from vidclass.video.sampling import choose_frames, stride_timestamps_s, uniform_timestamps_s

counts = st.integers(1, 60)
seconds = st.floats(0.01, 100)
policies = st.sampled_from(["uniform", "head", "stride"])


@given(start_s=st.floats(0, 1000), length_s=seconds, count=counts)
def test_uniform_times_are_inside_and_evenly_spaced(
    start_s: float, length_s: float, count: int
) -> None:
    times_s = uniform_timestamps_s(start_s, start_s + length_s, count)
    assert len(times_s) == count
    assert start_s < times_s[0] and times_s[-1] < start_s + length_s
    np.testing.assert_allclose(np.diff(times_s), length_s / count, rtol=1e-6)
    assert times_s[0] - start_s == pytest.approx(start_s + length_s - times_s[-1], abs=1e-9)


@given(length_s=seconds, stride_s=st.floats(0.01, 10), count=counts)
def test_stride_times_start_at_the_start_and_stay_inside(
    length_s: float, stride_s: float, count: int
) -> None:
    times_s = stride_timestamps_s(2.0, 2.0 + length_s, stride_s, count)
    assert 1 <= len(times_s) <= count
    assert times_s[0] == 2.0 and times_s[-1] < 2.0 + length_s
    if len(times_s) < count:
        assert times_s[-1] + stride_s >= 2.0 + length_s - 1e-5


def test_stride_time_at_the_very_end_is_outside_despite_rounding() -> None:
    # 3 * 0.1 is above 0.3 in floats.
    assert stride_timestamps_s(0.0, 0.1 + 0.2, 0.1, 20).tolist() == pytest.approx([0.0, 0.1, 0.2])


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, float, float]:
    steps_s = draw(st.lists(st.floats(0.001, 1.0), min_size=0, max_size=80))
    times_s = np.concatenate([[0.0], np.cumsum(steps_s)])
    end_s = float(times_s[-1]) + 0.1
    start_s = draw(st.floats(0, end_s * 0.99))
    stop_s = draw(st.floats(start_s, end_s).filter(lambda stop_s: stop_s > start_s))
    return times_s, start_s, stop_s


@given(case=cases(), policy=policies, frames=counts)
def test_chosen_frames_rise_and_are_the_spans_own(
    case: tuple[np.ndarray, float, float], policy: str, frames: int
) -> None:
    times_s, start_s, stop_s = case
    chosen = choose_frames(SamplingConfig(policy=policy, frames=frames), times_s, start_s, stop_s)
    assert chosen.dtype == np.int64
    assert 1 <= len(chosen) <= frames
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] >= 0 and chosen[-1] < len(times_s)
    on_show = max(0, np.searchsorted(times_s, start_s + 1e-6, side="right") - 1)
    assert chosen[0] >= on_show
    assert times_s[chosen[-1]] < stop_s or chosen[-1] == on_show


@given(total=st.integers(1, 200), frames=counts, fps=st.sampled_from([10, 24, 25, 29.97, 60]))
def test_at_a_constant_rate_the_number_is_exact(total: int, frames: int, fps: float) -> None:
    times_s = np.arange(total) / fps
    for policy in ("uniform", "head"):
        config = SamplingConfig(policy=policy, frames=frames)
        chosen = choose_frames(config, times_s, 0.0, total / fps)
        assert len(chosen) == min(frames, total)


def test_uniform_takes_the_middles() -> None:
    times_s = np.arange(100) / 25
    chosen = choose_frames(SamplingConfig(frames=4), times_s, 0.0, 4.0)
    assert chosen.tolist() == [12, 37, 62, 87]


def test_head_takes_the_first_frames_of_the_span() -> None:
    times_s = np.arange(100) / 25
    chosen = choose_frames(SamplingConfig(policy="head", frames=3), times_s, 2.0, 4.0)
    assert chosen.tolist() == [50, 51, 52]


def test_stride_takes_one_frame_a_stride() -> None:
    times_s = np.arange(100) / 25
    config = SamplingConfig(policy="stride", stride_s=0.4, frames=5)
    assert choose_frames(config, times_s, 0.0, 4.0).tolist() == [0, 10, 20, 30, 40]
    assert choose_frames(config, times_s, 3.0, 4.0).tolist() == [75, 85, 95]


def test_a_span_within_one_frame_gives_the_frame_on_show() -> None:
    times_s = np.array([0.0, 1.0, 2.0])
    for policy in ("uniform", "head", "stride"):
        config = SamplingConfig(policy=policy)
        assert choose_frames(config, times_s, 1.4, 1.6).tolist() == [1]


def test_the_frame_shown_at_stop_is_outside() -> None:
    times_s = np.arange(10) / 10
    assert choose_frames(SamplingConfig(), times_s, 0.1 + 0.2, 0.7).tolist() == [3, 4, 5, 6]


def test_a_frame_on_show_for_long_is_given_once() -> None:
    times_s = np.concatenate([np.arange(10) / 100, [5.0]])
    chosen = choose_frames(SamplingConfig(frames=5), times_s, 0.0, 6.0)
    assert chosen.tolist() == [9, 10]
