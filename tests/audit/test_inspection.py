"""Inspection of tiny real files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidclass.audit.inspection import (
    BlackFreezeDetector,
    ClipInspection,
    coarse_grey,
    draw_thumbnails,
    inspect_clips,
    retry_ledger,
)
from vidclass.data.clip import Clip
from vidclass.errors import VideoError
from vidclass.types import Failure, Span, no_progress

Write = Callable[..., Path]


def clip(path: Path, start_s: float = 0.0, stop_s: float | None = None) -> Clip:
    return Clip(path, "a", None, None, None, Span(start_s, stop_s))


def inspect(*clips: Clip, deep: bool = False) -> list[ClipInspection]:
    return inspect_clips(clips, deep=deep, thumbnail_rows=range(len(clips)), progress=no_progress)


def flat(*levels: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), level, np.uint8) for level in levels]


def test_a_sound_clip(tiny_video: Write) -> None:
    [inspection] = inspect(clip(tiny_video("a.mp4", frames=30, fps=10)))
    assert inspection.failure is None
    assert inspection.info is not None
    assert (inspection.info.width, inspection.info.height, inspection.info.codec) == (
        64,
        48,
        "h264",
    )
    assert (inspection.duration_s, inspection.frames, inspection.inspected_frames) == (
        pytest.approx(3.0),
        30,
        3,
    )
    assert (inspection.black, inspection.frozen) == (False, False)
    assert Image.open(io.BytesIO(inspection.thumbnail)).size == (3 * 96, 72)


@pytest.mark.parametrize("deep", [False, True])
def test_black_and_frozen(tiny_video: Write, deep: bool) -> None:
    black = clip(tiny_video("black.avi", frames=flat(*[5] * 12)))
    grey = clip(tiny_video("grey.avi", frames=flat(*[90] * 12)))
    inspections = inspect(black, grey, deep=deep)
    assert [(one.black, one.frozen) for one in inspections] == [(True, True), (False, True)]
    assert [one.inspected_frames for one in inspections] == [12 if deep else 3] * 2


def test_only_deep_detects_a_flash(tiny_video: Write) -> None:
    flash = clip(tiny_video("a.avi", frames=flat(*[0] * 30, 255, *[0] * 50), options={"g": "1"}))
    assert [inspect(flash, deep=deep)[0].black for deep in (False, True)] == [True, False]


@pytest.mark.parametrize("deep", [False, True])
def test_clips_of_one_file(tiny_video: Write, deep: bool) -> None:
    path = tiny_video("a.avi", frames=flat(*[0] * 10, *[200] * 10), fps=10, options={"g": "1"})
    dark, light, gone = inspect(clip(path, 0, 1), clip(path, 1, 2), clip(path, 5, 6), deep=deep)
    assert (dark.black, light.black) == (True, False)
    assert (dark.duration_s, light.frames) == (pytest.approx(1.0), 10)
    assert gone.failure is not None
    assert "starts after the video's end" in gone.failure.message
    assert gone.info is not None


def test_unreadable_files_do_not_end_the_inspection(tiny_video: Write, tmp_path: Path) -> None:
    (tmp_path / "bad.avi").write_bytes(b"bad")
    steps: list[tuple[str, int, int]] = []
    inspections = inspect_clips(
        [clip(tmp_path / "bad.avi"), clip(tiny_video()), clip(tmp_path / "gone.avi")],
        deep=False,
        thumbnail_rows=(),
        progress=lambda *step: steps.append(step),
    )
    messages = [one.failure.message if one.failure else "" for one in inspections]
    assert "is not a video" in messages[0]
    assert messages[1] == ""
    assert "no such file" in messages[2]
    assert [one.thumbnail for one in inspections] == [b"", b"", b""]
    assert steps == [("inspect", 1, 3), ("inspect", 2, 3), ("inspect", 3, 3)]


def damaged(tiny_video: Write) -> Path:
    """Write a file whose last frame of 200 is lost, which no thumbnail needs."""
    path = tiny_video("damaged.avi", frames=200, options={"g": "1"})
    content = bytearray(path.read_bytes())
    index = content.rindex(b"idx1")
    content[index - 300 : index - 20] = b"\xff" * 280
    path.write_bytes(content)
    return path


def test_only_deep_finds_damage(tiny_video: Write) -> None:
    path = damaged(tiny_video)
    assert inspect(clip(path))[0].failure is None
    failure = inspect(clip(path), deep=True)[0].failure
    assert failure is not None
    assert "frames can be decoded (the first loss is at 7." in failure.message


def test_thumbnails_of_some_clips(tiny_video: Write, tmp_path: Path) -> None:
    clips = [
        clip(tiny_video()),
        clip(tmp_path / "gone.avi"),
        clip(tiny_video("b.avi", size=(48, 64))),
    ]
    thumbnails = draw_thumbnails(clips, [1, 2], no_progress)
    assert list(thumbnails) == [2]
    assert Image.open(io.BytesIO(thumbnails[2])).size == (3 * 54, 72)


def failure(path: Path, cause: str = "no such file") -> Failure:
    return Failure.from_error(VideoError(path, cause, hint="Look.", stage="probe"), video=path)


def test_a_ledger_is_retried(tiny_video: Callable[..., Path], tmp_path: Path) -> None:
    good, gone = tiny_video(), tmp_path / "gone.avi"
    steps: list[tuple[str, int, int]] = []
    entries = retry_ledger(
        [failure(good, "is empty"), failure(gone), failure(gone, "was cut")],
        lambda *step: steps.append(step),
    )
    assert [(entry.failure.cause, entry.now) for entry in entries] == [
        ("is empty", ""),
        ("no such file", "no such file"),
        ("was cut", "no such file"),
    ]
    assert steps == [("ledger", 1, 2), ("ledger", 2, 2)]


def detected(*levels: int, spot: tuple[int, int] = (0, 0)) -> BlackFreezeDetector:
    """Add flat frames; change `spot[0]` pixels of the last one by `spot[1]` levels."""
    detector = BlackFreezeDetector()
    for number, level in enumerate(levels):
        frame = np.full(1024, level, np.uint8)
        if number == len(levels) - 1:
            frame[: spot[0]] += np.uint8(spot[1])
        detector.add(frame.reshape(32, 32))
    return detector


@pytest.mark.parametrize(
    ("levels", "spot", "black"),
    [
        ((0, 25), (0, 0), True),
        ((0, 26), (0, 0), False),
        ((0, 0), (20, 255), True),
        ((0, 0), (21, 255), False),
        ((0,), (0, 0), True),
    ],
)
def test_black(levels: tuple[int, ...], spot: tuple[int, int], black: bool) -> None:
    assert detected(*levels, spot=spot).black is black


@pytest.mark.parametrize(
    ("levels", "spot", "frozen"),
    [
        ((90, 90), (0, 0), True),
        ((90, 90), (1, 4), True),
        ((90, 90), (1, 5), False),
        ((90,), (0, 0), False),
        ((90, 93, 96), (0, 0), False),
        ((0, 255), (0, 0), False),
    ],
)
def test_frozen(levels: tuple[int, ...], spot: tuple[int, int], frozen: bool) -> None:
    assert detected(*levels, spot=spot).frozen is frozen


def test_no_frames_are_neither() -> None:
    detector = BlackFreezeDetector()
    assert (detector.black, detector.frozen, detector.frame_count) == (False, False, 0)


def test_coarse_grey_is_the_mean_of_blocks() -> None:
    frame = np.zeros((2, 8, 8, 3), np.uint8)
    frame[1, :4, :4] = 200
    frame[1, 0, 0] = 40
    grey = coarse_grey(frame, 2)
    assert grey.shape == (2, 2, 2)
    assert grey[0].max() == 0
    assert grey[1].tolist() == [[190, 0], [0, 0]]
