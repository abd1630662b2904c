"""One extraction over every kind of bad and odd file: it goes on, and the ledger is true."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from tiny_set import QUICK_OPTIONS
from vidclass.cli.main import app

TinyVideo = Callable[..., Path]


def no_frames(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        file.start_encoding()


def flat(width: int, height: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [np.full((height, width, 3), 128, np.uint8)] * 3


@dataclass(frozen=True)
class Bad:
    """How a file is made bad, and what the ledger must say of it."""

    name: str
    make: Callable[[Path, TinyVideo], object]
    cause: str


def truncated(path: Path, tiny_video: TinyVideo) -> None:
    tiny_video(path.name, frames=150, container_options={"movflags": "faststart"})
    os.truncate(path, path.stat().st_size // 2)


BAD = [
    Bad("missing.avi", lambda path, _: None, "no such file"),
    Bad("empty.mp4", lambda path, _: path.touch(), r"the file is empty \(0 bytes\)"),
    Bad("truncated.mp4", truncated, r"truncated: its header announces 6\.0 s, the data ends at"),
    Bad("text.avi", lambda path, _: path.write_text("no video\n" * 99), "is not a video"),
    Bad("no frames.avi", lambda path, _: no_frames(path), "its video stream has no frames"),
    Bad("sound.wav", lambda path, tiny: tiny(path.name, frames=0, audio=True), "only audio"),
    Bad("folder.avi", lambda path, _: path.mkdir(), "is a folder, not a video"),
]

GOOD = {
    "plain.avi": {},
    "one frame.avi": {"frames": 1},
    "1x1.mov": {"codec": "png", "pixel_format": "rgb24", "frames": flat(1, 1)},
    "16x5000.avi": {"frames": flat(16, 5000)},
    "rotated.mp4": {"frames": 3, "rotation_deg": 90},
    "varying.mkv": {"frames": 4, "times_s": [0.0, 0.1, 0.2, 3.0]},
    "Größe 大 é.avi": {"size": (48, 64)},
}


@pytest.mark.slow
def test_one_run_over_all_of_them(tiny_video: TinyVideo, tmp_path: Path) -> None:
    for bad in BAD:
        bad.make(tmp_path / bad.name, tiny_video)
    for name, options in GOOD.items():
        tiny_video(name, **options)
    names = [
        name for pair in zip(sorted(bad.name for bad in BAD), GOOD, strict=True) for name in pair
    ]
    table = tmp_path / "clips.csv"
    rows = [f"{name},{'ab'[row % 2]}" for row, name in enumerate(names)]
    table.write_text("video,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    ledger = tmp_path / "out" / "ledger.jsonl"
    options = [*QUICK_OPTIONS, "--store", str(tmp_path / "store"), "--ledger", str(ledger)]
    done = CliRunner().invoke(app, ["extract", str(table), *options])
    assert done.exit_code == 0
    assert done.stdout == "7 clips extracted, 0 were stored already\n"
    assert done.stderr.splitlines()[-1] == f"7 ok, 7 failed (listed in {ledger})"

    lines = ledger.read_text(encoding="utf-8").splitlines()
    rows_by_name = {Path(row["video"]).name: row for row in map(json.loads, lines)}
    assert list(rows_by_name) == sorted(bad.name for bad in BAD)  # the order of the table
    for bad in BAD:
        row = rows_by_name[bad.name]
        assert list(row) == ["video", "stage", "error_type", "message", "cause", "hint"]
        assert row["video"] == str(tmp_path / bad.name)
        assert (row["stage"], row["error_type"]) == ("probe", "VideoError")
        assert row["message"].startswith(f"{row['video']}: ")
        assert re.search(bad.cause, row["message"])
        assert row["hint"] and row["message"].endswith(row["hint"])

    again = CliRunner().invoke(app, ["extract", str(table), *options])
    assert again.stdout == "0 clips extracted, 7 were stored already\n"
    assert ledger.read_text(encoding="utf-8").splitlines() == lines
    strict = CliRunner().invoke(app, ["extract", str(table), *options, "--strict"])
    assert (strict.exit_code, strict.stdout) == (1, "")
    error, closing = strict.stderr.splitlines()[-2:]
    assert error.startswith(f"error: {tmp_path / 'folder.avi'}: is a folder")
    assert closing == f"0 ok, 1 failed (listed in {ledger})"
    assert [row["video"] for row in map(json.loads, ledger.read_text().splitlines())] == [
        str(tmp_path / "folder.avi")
    ]
