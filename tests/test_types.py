"""Values that cross borders check themselves."""

from __future__ import annotations

import numpy as np
import pytest

from vidclass.errors import ConfigError, ShapeError, VideoError
from vidclass.types import ClipFeatures, Failure, FrameBatch, Span, no_progress


def test_fitting_frames_are_accepted() -> None:
    batch = FrameBatch(np.zeros((2, 4, 5, 3), np.uint8), np.zeros(2))
    assert len(batch.frames) == 2


@pytest.mark.parametrize(
    ("shape", "kind", "received"),
    [
        ((4, 5, 3), "uint8", r"\(4, 5, 3\) uint8"),
        ((2, 4, 5, 4), "uint8", r"\(2, 4, 5, 4\) uint8"),
        ((2, 4, 5, 3), "float32", r"\(2, 4, 5, 3\) float32"),
    ],
)
def test_frames_of_another_shape_are_refused(
    shape: tuple[int, ...], kind: str, received: str
) -> None:
    message = rf"frames must be \(T,H,W,3\) uint8, received: {received}"
    with pytest.raises(ShapeError, match=message):
        FrameBatch(np.zeros(shape, kind), np.zeros(shape[0]))


@pytest.mark.parametrize("times", [np.zeros(3), np.zeros((2, 1))])
def test_each_frame_has_a_time(times: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"2 frames but timestamps of shape \("):
        FrameBatch(np.zeros((2, 4, 5, 3), np.uint8), times)


def test_fitting_features_are_accepted() -> None:
    clip = ClipFeatures(np.zeros((2, 7), np.float16), np.zeros(2))
    assert clip.features.shape == (2, 7)


@pytest.mark.parametrize(
    ("shape", "kind", "received"),
    [((2,), "float16", r"\(2,\) float16"), ((2, 7), "float32", r"\(2, 7\) float32")],
)
def test_features_of_another_shape_are_refused(
    shape: tuple[int, ...], kind: str, received: str
) -> None:
    with pytest.raises(
        ShapeError, match=rf"features must be \(T,D\) float16, received: {received}"
    ):
        ClipFeatures(np.zeros(shape, kind), np.zeros(shape[0]))


def test_each_feature_has_a_time() -> None:
    with pytest.raises(ShapeError, match=r"2 features but timestamps of shape \(1,\)"):
        ClipFeatures(np.zeros((2, 7), np.float16), np.zeros(1))


def test_a_span_is_the_whole_video_unless_told() -> None:
    assert Span() == Span(0.0, None)


def test_a_row_of_the_ledger_tells_what_a_video_error_knows() -> None:
    error = VideoError("a.avi", "is empty", hint="Get it again.", stage="probe")
    assert Failure.from_error(error, video="a.avi") == Failure(
        "a.avi",
        "probe",
        "VideoError",
        "a.avi: is empty. Get it again.",
        "is empty",
        "Get it again.",
    )


def test_a_row_of_the_ledger_holds_other_errors() -> None:
    row = Failure("a.avi", "", "ConfigError", "no.", "no", "")
    assert Failure.from_error(ConfigError("no."), video="a.avi") == row


def test_no_progress_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    no_progress("hash", 1, 2)
    assert capfd.readouterr() == ("", "")
