"""The ledger of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vidclass.audit.inspection import try_again
from vidclass.errors import VideoError
from vidclass.types import Failure


def failure(path: Path, cause: str = "no such file") -> Failure:
    return Failure.from_error(VideoError(path, cause, hint="Look.", stage="probe"), video=path)


def test_trying_again(tiny_video: Callable[..., Path], tmp_path: Path) -> None:
    good, gone = tiny_video(), tmp_path / "gone.avi"
    told: list[tuple[str, int, int]] = []
    entries = try_again(
        [failure(good, "is empty"), failure(gone), failure(gone, "was cut")],
        lambda *step: told.append(step),
    )
    assert [(entry.failure.cause, entry.now) for entry in entries] == [
        ("is empty", ""),
        ("no such file", "no such file"),
        ("was cut", "no such file"),
    ]
    assert told == [("ledger", 1, 2), ("ledger", 2, 2)]
