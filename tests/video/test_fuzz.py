"""Fuzzing: each of thousands of damaged files gives frames or a VideoError."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from mutations import MUTATIONS, Job, Outcome, mutated, read_all

TinyVideo = Callable[..., Path]
FILES = 2000
# Longer ones are not better, only slower.
LARGEST_BYTES = 400_000

SOURCES = {
    "h264.mp4": {"options": {"bf": "2", "g": "6"}},
    "fast.mp4": {"container_options": {"movflags": "faststart"}},
    "parts.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "h264.mkv": {"options": {"bf": "2", "g": "6"}},
    # The encoder itself crashes on smaller frames, now and then.
    "h265.mp4": {
        "codec": "libx265",
        "size": (64, 64),
        "options": {"x265-params": "log-level=0:pools=none:frame-threads=1"},
    },
    "mpeg4.avi": {},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "vp8.webm": {"codec": "libvpx"},
    "png.mov": {"codec": "png", "pixel_format": "rgb24", "rotation_deg": 90},
    "h264.ts": {},
    "mpeg2.mpg": {"codec": "mpeg2video"},
    "flv1.flv": {"codec": "flv"},
    "plain.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "raw.y4m": {"codec": "rawvideo"},
    "sound.mkv": {"audio": True},
}


@pytest.fixture
def sources(tiny_video: TinyVideo) -> list[Path]:
    return [
        tiny_video(name, **{"frames": 12, "size": (48, 32), **options})
        for name, options in SOURCES.items()
    ]


def test_damage_follows_from_its_seed() -> None:
    data = bytes(range(256)) * 20
    changed = [mutated(data, seed) for seed in range(300)]
    assert changed == [mutated(data, seed) for seed in range(300)]
    assert sum(item != data for item in changed) >= 290
    assert {type(mutated(b"", seed)) for seed in range(30)} == {bytes}
    assert len(MUTATIONS) == 9


@pytest.mark.slow
def test_unharmed_files_give_frames_and_faults_are_seen(
    sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    missing = Job(tmp_path / "none.mp4", 0)
    outcome = read_all(iter([Job(sources[0], 0), missing, Job(sources[1], 1)]), folder, workers=1)
    # The engine's own fault ends the child: it is reported, and the next file has a new one.
    assert outcome.counts["crash"] == 1
    assert outcome.counts.total() == 3
    assert outcome.bad[0].startswith("none.mp4 seed 0: crash exit code 1")


def summary(outcome: Outcome) -> str:
    return f"{dict(outcome.counts)}\n" + "\n".join(outcome.bad)


@pytest.mark.slow
def test_damaged_files_give_frames_or_a_video_error(sources: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    jobs = (Job(path, seed) for seed, path in zip(range(FILES), itertools.cycle(sources)))
    outcome = read_all(jobs, folder)
    assert not outcome.bad, summary(outcome)
    assert outcome.counts.total() == FILES
    # The damage is neither harmless nor always fatal.
    assert min(outcome.counts["frames"], outcome.counts["VideoError"]) > FILES // 20, summary(
        outcome
    )
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_damaged_real_files_give_frames_or_a_video_error(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    paths = [
        path
        for path in sorted((shared / "media").iterdir())
        if path.stat().st_size <= LARGEST_BYTES
    ]
    assert len(paths) >= 5
    jobs = (Job(path, 10_000 + k) for k, path in zip(range(100), itertools.cycle(paths)))
    outcome = read_all(jobs, folder)
    assert not outcome.bad, summary(outcome)
