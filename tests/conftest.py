"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from tiny_images import BITS, number_image

# A test may import Keras before vidclass, which would have chosen.
os.environ.setdefault("KERAS_BACKEND", "jax")

SHARED = Path(__file__).resolve().parents[2] / "shared"
_TICKS_PER_S = 1000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have most slow tests: workers then end at about the same time."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test run that all its worker processes share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session", autouse=True)
def session_cache(common_folder: Path) -> Iterator[Path]:
    """A cache of this test run's own: the user's stays untouched, networks are made once."""
    folder = common_folder / "cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDCLASS_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips beside the checkout; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip(f"no real clips: {SHARED} is not there")
    return SHARED


@pytest.fixture(scope="session")
def frame_number() -> Callable[[NDArray[np.uint8]], int]:
    """Reads the number that `tiny_video` drew into a picture (H,W,3)."""
    return read_number


@pytest.fixture
def tiny_video(tmp_path: Path) -> Callable[..., Path]:
    """Writes tiny videos; see `write_tiny_video` for the options."""

    def write(name: str = "tiny.avi", **options: object) -> Path:
        return write_tiny_video(tmp_path / name, **options)  # type: ignore[arg-type]

    return write


def read_number(picture: NDArray[np.uint8]) -> int:
    """The number drawn by `number_image`; each band must be clearly light or dark."""
    height = len(picture)
    centres = (np.arange(BITS) * 2 + 1) * height // (2 * BITS)
    levels = picture[centres].mean(axis=(1, 2))
    if ((levels > 90) & (levels < 160)).any():
        raise ValueError(f"not a clear number: {levels}")
    return int(((levels > 128) << np.arange(BITS)[::-1]).sum())


def write_tiny_video(
    path: Path,
    *,
    codec: str = "",
    size: tuple[int, int] = (64, 48),
    fps: int = 25,
    frames: int | Sequence[NDArray[np.uint8]] = 30,
    times_s: Sequence[float] | None = None,
    rotation_deg: int = 0,
    audio: bool = False,
    pixel_format: str = "",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a video whose frame k shows the number k.

    Args:
        path: Its suffix chooses the container.
        codec: An encoder; without one mpeg4 for AVI, else H.264.
        size: Width and height.
        fps: Frames a second.
        frames: How many, at most 256; or the pictures themselves, (H,W,3) RGB.
        times_s: When each frame is shown, for a varying rate.
        rotation_deg: The clockwise turn that a player is told to make.
        audio: Add a second of silence; with `frames=0` there is nothing else.
        pixel_format: Without one yuv420p.
        options: For the encoder.
        container_options: For the container.
    """
    pictures = [number_image(k, size) for k in range(frames)] if isinstance(frames, int) else frames
    with av.open(str(path), "w", options=container_options or {}) as container:
        if pictures:
            codec = codec or ("mpeg4" if path.suffix == ".avi" else "libx264")
            stream = container.add_stream(codec, rate=fps, options=options or {})
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pixel_format or "yuv420p"
            if rotation_deg:
                stream.set_display_rotation(-rotation_deg)
            if times_s is not None:
                stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        sound = container.add_stream("pcm_s16le", rate=8000) if audio else None
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = k if times_s is None else round(times_s[k] * _TICKS_PER_S)
            frame.time_base = Fraction(1, fps if times_s is None else _TICKS_PER_S)
            container.mux(stream.encode(frame))
        if pictures:
            container.mux(stream.encode(None))
        if sound is not None:
            _write_silence(container, sound)
    return path


def _write_silence(container: av.container.OutputContainer, stream: av.AudioStream) -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
    frame.sample_rate, frame.pts = 8000, 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture(scope="session")
def tiny_set(common_folder: Path) -> Path:
    """A folder of two classes, five groups each; read only."""
    from tiny_set import write_set

    return once(common_folder / "tiny_set", write_set)


@pytest.fixture(scope="session")
def tiny_run(tiny_set: Path, session_cache: Path, common_folder: Path) -> Path:
    """The folder of a finished run on `tiny_set`; read only."""
    from tiny_set import QUICK
    from vidclass.data.manifest import Manifest
    from vidclass.training.presets import run_config
    from vidclass.training.run import train

    training = {"epochs": 30, "learning_rate": 0.01}
    config = run_config(features=QUICK, head="temporal", training=training)
    manifest = Manifest.from_source(tiny_set)
    return once(common_folder / "tiny_run", lambda folder: train(manifest, folder, config))


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Make a folder in the first worker process that asks for it; the others wait."""
    whole = folder.with_suffix(".whole")
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            make(folder)
            whole.touch()
    return folder
