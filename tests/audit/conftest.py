"""Manifests and looks without files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidclass.audit.model import ClipLook
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import VideoError
from vidclass.types import Failure
from vidclass.video.probe import VideoInfo


@pytest.fixture(scope="session")
def manifest_of() -> Callable[..., Manifest]:
    """A manifest of columns: `video` and `label`, and any others."""

    def make(**columns: list[Any]) -> Manifest:
        columns.setdefault("video", [f"/v/{k}.avi" for k in range(len(columns["label"]))])
        return Manifest(Rows.of(columns).table)

    return make


@pytest.fixture(scope="session")
def look_of() -> Callable[..., ClipLook]:
    """A look at a file that holds `facts`, four seconds and 100 frames unless told otherwise."""

    def make(number: int = 0, failed: str = "", **facts: Any) -> ClipLook:
        path = Path(f"/v/{number}.avi")
        if failed:
            return ClipLook(
                None, Failure.from_error(VideoError(path, failed, stage="probe"), video=path)
            )
        look = {name: facts.pop(name) for name in ("black", "frozen") if name in facts}
        known = {"duration_s": 4.0, "width": 320, "height": 240, "rotation_deg": 0, "fps": 25.0}
        known |= {"frame_count": 100, "codec": "h264", "pixel_format": "yuv420p"}
        known |= {"has_audio": False, "variable_frame_rate": False}
        info = VideoInfo(path=path, **{**known, **facts})
        return ClipLook(info, None, info.duration_s, info.frame_count, looked_at=3, **look)

    return make
