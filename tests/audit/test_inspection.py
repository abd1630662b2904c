"""What is seen of real (tiny) files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidclass.audit.inspection import ClipLook, look_at_clips, strips_of
from vidclass.data.clip import Clip
from vidclass.types import Span, no_progress

Write = Callable[..., Path]


def clip(path: Path, start_s: float = 0.0, stop_s: float | None = None) -> Clip:
    return Clip(path, "a", None, None, None, Span(start_s, stop_s))


def look(*clips: Clip, deep: bool = False) -> list[ClipLook]:
    return look_at_clips(clips, deep=deep, drawn=range(len(clips)), progress=no_progress)


def flat(*levels: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), level, np.uint8) for level in levels]


def test_a_sound_clip(tiny_video: Write) -> None:
    [seen] = look(clip(tiny_video("a.mp4", frames=30, fps=10)))
    assert seen.failure is None
    assert seen.info is not None
    assert (seen.info.width, seen.info.height, seen.info.codec) == (64, 48, "h264")
    assert (seen.duration_s, seen.frames, seen.looked_at) == (pytest.approx(3.0), 30, 3)
    assert (seen.black, seen.frozen) == (False, False)
    assert Image.open(io.BytesIO(seen.strip)).size == (3 * 96, 72)


@pytest.mark.parametrize("deep", [False, True])
def test_black_and_frozen(tiny_video: Write, deep: bool) -> None:
    black = clip(tiny_video("black.avi", frames=flat(*[5] * 12)))
    grey = clip(tiny_video("grey.avi", frames=flat(*[90] * 12)))
    seen = look(black, grey, deep=deep)
    assert [(one.black, one.frozen) for one in seen] == [(True, True), (False, True)]
    assert [one.looked_at for one in seen] == [12 if deep else 3] * 2


def test_only_deep_sees_a_flash(tiny_video: Write) -> None:
    flash = clip(tiny_video("a.avi", frames=flat(*[0] * 30, 255, *[0] * 50), options={"g": "1"}))
    assert [look(flash, deep=deep)[0].black for deep in (False, True)] == [True, False]


@pytest.mark.parametrize("deep", [False, True])
def test_clips_of_one_file(tiny_video: Write, deep: bool) -> None:
    path = tiny_video("a.avi", frames=flat(*[0] * 10, *[200] * 10), fps=10, options={"g": "1"})
    dark, light, gone = look(clip(path, 0, 1), clip(path, 1, 2), clip(path, 5, 6), deep=deep)
    assert (dark.black, light.black) == (True, False)
    assert (dark.duration_s, light.frames) == (pytest.approx(1.0), 10)
    assert gone.failure is not None
    assert "starts after the video's end" in gone.failure.message
    assert gone.info is not None


def test_files_that_cannot_be_read_do_not_end_the_work(tiny_video: Write, tmp_path: Path) -> None:
    (tmp_path / "bad.avi").write_bytes(b"bad")
    told: list[tuple[str, int, int]] = []
    seen = look_at_clips(
        [clip(tmp_path / "bad.avi"), clip(tiny_video()), clip(tmp_path / "gone.avi")],
        deep=False,
        drawn=(),
        progress=lambda *step: told.append(step),
    )
    messages = [one.failure.message if one.failure else "" for one in seen]
    assert "is not a video" in messages[0]
    assert messages[1] == ""
    assert "no such file" in messages[2]
    assert [one.strip for one in seen] == [b"", b"", b""]
    assert told == [("look", 1, 3), ("look", 2, 3), ("look", 3, 3)]


def damaged(tiny_video: Write) -> Path:
    """The last of 200 frames, which none of the three looked at needs, is lost."""
    path = tiny_video("damaged.avi", frames=200, options={"g": "1"})
    content = bytearray(path.read_bytes())
    index = content.rindex(b"idx1")
    content[index - 300 : index - 20] = b"\xff" * 280
    path.write_bytes(content)
    return path


def test_only_deep_finds_damage(tiny_video: Write) -> None:
    path = damaged(tiny_video)
    assert look(clip(path))[0].failure is None
    failure = look(clip(path), deep=True)[0].failure
    assert failure is not None
    assert "frames can be decoded (the first loss is at 7." in failure.message


def test_strips_of_some_more(tiny_video: Write, tmp_path: Path) -> None:
    clips = [
        clip(tiny_video()),
        clip(tmp_path / "gone.avi"),
        clip(tiny_video("b.avi", size=(48, 64))),
    ]
    strips = strips_of(clips, [1, 2], no_progress)
    assert list(strips) == [2]
    assert Image.open(io.BytesIO(strips[2])).size == (3 * 54, 72)
