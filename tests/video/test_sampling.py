from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vidclass.config import SamplingConfig
from vidclass.errors import ConfigError
from vidclass.video.sampling import (
    choose_frames,
    clip_generator,
    random_timestamps_s,
    stride_timestamps_s,
    uniform_timestamps_s,
    views_timestamps_s,
)

counts = st.integers(1, 60)
view_counts = st.integers(1, 6)
seeds = st.integers(0, 2**32)
seconds = st.floats(0.01, 100)
policies = st.sampled_from(["uniform", "first", "stride", "random"])
rates = st.sampled_from([10, 15, 23.976, 24, 25, 29.97, 60, 120, 240])


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
    chosen = choose_frames(
        SamplingConfig(policy=policy, frames=frames),
        times_s,
        start_s,
        stop_s,
        rng=np.random.default_rng(3),
    )
    assert chosen.dtype == np.int64
    assert 1 <= len(chosen) <= frames
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] >= 0 and chosen[-1] < len(times_s)
    on_show = max(0, np.searchsorted(times_s, start_s + 1e-6, side="right") - 1)
    assert chosen[0] >= on_show
    assert times_s[chosen[-1]] < stop_s or chosen[-1] == on_show


@given(total=st.integers(1, 600), frames=counts, views=view_counts, fps=rates, seed=seeds)
def test_at_a_constant_rate_the_number_is_exact(
    total: int, frames: int, views: int, fps: float, seed: int
) -> None:
    times_s = np.arange(total) / fps
    for policy in ("uniform", "first", "random"):
        config = SamplingConfig(
            policy=policy, frames=frames, views=1 if policy == "first" else views
        )
        rng = np.random.default_rng(seed)
        chosen = choose_frames(config, times_s, 0.0, total / fps, rng=rng)
        assert len(chosen) == min(config.total_frames, total)


@given(start_s=st.floats(0, 1000), length_s=seconds, count=counts, seed=seeds)
def test_random_times_lie_in_the_parts_whose_middles_are_uniform(
    start_s: float, length_s: float, count: int, seed: int
) -> None:
    stop_s = start_s + length_s
    drawn_s = random_timestamps_s(start_s, stop_s, count, np.random.default_rng(seed))
    middles_s = uniform_timestamps_s(start_s, stop_s, count)
    assert drawn_s.shape == (count,)
    assert (np.abs(drawn_s - middles_s) <= length_s / count / 2 * (1 + 1e-9) + 1e-9).all()
    assert (np.diff(drawn_s) > -1e-9).all()
    assert drawn_s[0] >= start_s and drawn_s[-1] < stop_s


def test_random_times_cover_their_parts() -> None:
    rng = np.random.default_rng(0)
    drawn_s = np.array([random_timestamps_s(0.0, 3.0, 3, rng) for _ in range(2000)])
    within_s = drawn_s - np.arange(3)
    np.testing.assert_allclose(within_s.mean(axis=0), 0.5, atol=0.03)
    assert (within_s.min(axis=0) < 0.01).all() and (within_s.max(axis=0) > 0.99).all()


def test_a_draw_that_rounds_up_to_the_end_stays_inside() -> None:
    class Highest:
        def random(self, count: int) -> np.ndarray:
            return np.full(count, np.nextafter(1.0, 0.0))

    assert random_timestamps_s(1e6, 1e6 + 1e-4, 1, Highest())[0] < 1e6 + 1e-4  # type: ignore[arg-type]


@given(start_s=st.floats(0, 1000), length_s=seconds, count=counts, views=view_counts)
def test_views_are_shifted_and_all_of_them_are_uniform(
    start_s: float, length_s: float, count: int, views: int
) -> None:
    stop_s = start_s + length_s
    times_s = views_timestamps_s(start_s, stop_s, count, views)
    assert times_s.shape == (views, count)
    union = uniform_timestamps_s(start_s, stop_s, count * views)
    np.testing.assert_array_equal(np.sort(times_s, axis=None), union)
    np.testing.assert_allclose(np.diff(times_s, axis=0), length_s / count / views, atol=1e-9)
    if views == 1:
        np.testing.assert_array_equal(times_s[0], uniform_timestamps_s(start_s, stop_s, count))


@given(case=cases(), frames=counts, views=view_counts)
def test_uniform_views_are_as_many_more_uniform_frames(
    case: tuple[np.ndarray, float, float], frames: int, views: int
) -> None:
    several = choose_frames(SamplingConfig(frames=frames, views=views), *case)
    np.testing.assert_array_equal(
        several, choose_frames(SamplingConfig(frames=frames * views), *case)
    )


@given(total=st.integers(2, 400), frames=counts, seed=seeds)
def test_random_takes_a_frame_that_begins_in_each_part(total: int, frames: int, seed: int) -> None:
    assume(total > frames)
    config = SamplingConfig(policy="random", frames=frames)
    chosen = choose_frames(
        config, np.arange(total) / 25, 0.0, total / 25, rng=np.random.default_rng(seed)
    )
    # Exact arithmetic: frame k begins in part floor(k * frames / total).
    assert (chosen * frames // total).tolist() == list(range(frames))


def test_every_frame_of_a_part_can_be_drawn() -> None:
    config = SamplingConfig(policy="random", frames=4)
    draws = [
        choose_frames(config, np.arange(20) / 25, 0.0, 0.8, rng=np.random.default_rng(seed))
        for seed in range(200)
    ]
    for part in range(4):
        assert {int(chosen[part]) for chosen in draws} == set(range(5 * part, 5 * part + 5))


@given(seed=seeds, key=st.text(max_size=8), epoch=st.integers(0, 100))
def test_seed_clip_and_epoch_decide_the_draw(seed: int, key: str, epoch: int) -> None:
    def draw(*values: object) -> float:
        return clip_generator(values[0], values[1], epoch=values[2]).random()  # type: ignore[arg-type]

    same = draw(seed, key, epoch)
    assert same == draw(seed, key, epoch)
    for other in ((seed + 1, key, epoch), (seed, key + "x", epoch), (seed, key, epoch + 1)):
        assert draw(*other) != same


def test_the_draw_is_the_same_on_every_machine() -> None:
    assert clip_generator(0, "abc").random() == pytest.approx(0.3350503214837717, abs=1e-12)


def test_random_without_a_generator_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"policy='random' draws frames: pass rng, for example"):
        choose_frames(SamplingConfig(policy="random"), np.arange(3.0), 0.0, 3.0)


def test_uniform_takes_the_middles() -> None:
    times_s = np.arange(100) / 25
    chosen = choose_frames(SamplingConfig(frames=4), times_s, 0.0, 4.0)
    assert chosen.tolist() == [12, 37, 62, 87]


def test_first_takes_the_first_frames_of_the_span() -> None:
    times_s = np.arange(100) / 25
    chosen = choose_frames(SamplingConfig(policy="first", frames=3), times_s, 2.0, 4.0)
    assert chosen.tolist() == [50, 51, 52]


def test_stride_takes_one_frame_a_stride() -> None:
    times_s = np.arange(100) / 25
    config = SamplingConfig(policy="stride", stride_s=0.4, frames=5)
    assert choose_frames(config, times_s, 0.0, 4.0).tolist() == [0, 10, 20, 30, 40]
    assert choose_frames(config, times_s, 3.0, 4.0).tolist() == [75, 85, 95]


def test_a_span_within_one_frame_gives_the_frame_on_show() -> None:
    times_s = np.array([0.0, 1.0, 2.0])
    for policy in ("uniform", "first", "stride"):
        config = SamplingConfig(policy=policy)
        assert choose_frames(config, times_s, 1.4, 1.6).tolist() == [1]


def test_the_frame_shown_at_stop_is_outside() -> None:
    times_s = np.arange(10) / 10
    assert choose_frames(SamplingConfig(), times_s, 0.1 + 0.2, 0.7).tolist() == [3, 4, 5, 6]


def test_a_frame_on_show_for_long_is_given_once() -> None:
    times_s = np.concatenate([np.arange(10) / 100, [5.0]])
    chosen = choose_frames(SamplingConfig(frames=5), times_s, 0.0, 6.0)
    assert chosen.tolist() == [9, 10]
