"""Networks that see several frames at once: windows, their features, heads over them, a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidclass.backbones import register_backbone_family, unregister_backbone_family
from vidclass.backbones.registry import build_backbone
from vidclass.config import FeatureConfig, SamplingConfig
from vidclass.errors import ConfigError
from vidclass.features.extractor import FeatureExtractor, backbone_spec, feature_extractor
from vidclass.features.pipeline import stream_features
from vidclass.features.windows import network_input, network_times_s, window_count, window_rows
from vidclass.runtime.network_spec import probe_inputs
from vidclass.types import FrameBatch


@given(st.integers(1, 200), st.integers(1, 70))
def test_windows_cover_every_frame_and_end_with_the_clip(frames: int, window: int) -> None:
    rows = window_rows(frames, window)
    assert rows.shape == (window_count(frames, window), window)
    assert set(rows.ravel().tolist()) == set(range(frames))
    assert rows[-1, -1] == frames - 1
    if frames >= window:
        assert (np.diff(rows, axis=1) == 1).all()
    else:
        assert rows.tolist() == [[min(index, frames - 1) for index in range(window)]]


def clip(frames: int) -> FrameBatch:
    frames_rgb = np.full((frames, 2, 2, 3), np.arange(frames)[:, None, None, None], np.uint8)
    return FrameBatch(frames_rgb, np.arange(frames) / 10)


class FirstAndLast:
    """A network of windows whose features are the grey of the first and last frame."""

    parallel, batch_frames = 2, 10

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        frames = inputs["frames"]
        self.shapes.append(frames.shape)
        return frames[:, [0, -1], 0, 0, 0].astype(np.float32)


def test_each_window_of_each_clip_has_its_features() -> None:
    network = FirstAndLast()
    lengths = [10, 3, 8]
    done = list(stream_features(lengths, clip, network, video_of=str, window=4))
    clips = [one.result.features for one in done if one.result is not None]
    assert [one.features.tolist() for one in clips] == [
        [[0, 3], [4, 7], [6, 9]],
        [[0, 2]],
        [[0, 3], [4, 7]],
    ]
    np.testing.assert_allclose(clips[0].timestamps_s, [0.15, 0.55, 0.75])
    assert [len(one.result.frames.frames) for one in done if one.result is not None] == lengths
    # Ten frames a call are two windows of four.
    assert network.shapes == [(2, 4, 2, 2, 3)] * 3


def test_one_frame_at_a_time_is_no_window() -> None:
    batch = clip(3)
    assert network_input(batch, 1) is batch.frames
    assert network_times_s(batch, 1) is batch.timestamps_s


@pytest.fixture
def own_family() -> Iterator[None]:
    from own_backbones import OwnFamily

    register_backbone_family(OwnFamily)
    yield
    unregister_backbone_family(OwnFamily)


@pytest.mark.usefixtures("own_family")
def test_a_backbone_for_windows_gives_a_row_for_each_window() -> None:
    config = FeatureConfig(
        backbone="own_windows", sampling=SamplingConfig(frames=10), precision="f32"
    )
    extractor = feature_extractor(config)
    assert (extractor.window, extractor.steps, extractor.width) == (4, 3, 4)
    spec = backbone_spec(config)
    assert spec.arguments["window"] == 4
    assert probe_inputs(spec)["frames"].shape == (3, 4, 224, 224, 3)
    per_frame = backbone_spec(FeatureConfig(weights="random"))
    assert "window" not in per_frame.arguments  # fingerprints of before hold
    with pytest.raises(ConfigError, match=r"precision='int8': own_windows sees several frames"):
        feature_extractor(config.model_copy(update={"precision": "int8"}))
    with pytest.raises(ConfigError, match="window=1: own_windows sees 4 frames at once"):
        build_backbone("own_windows", 16, "random")


def test_an_extractor_of_single_frames_has_a_step_for_each() -> None:
    config = FeatureConfig(sampling=SamplingConfig(frames=7, views=2))
    assert FeatureExtractor(config, "f", 4, lambda: pytest.fail("opened")).steps == 14
