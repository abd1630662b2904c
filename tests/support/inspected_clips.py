"""Manifests and inspections of clips that need no files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidclass.audit.inspection import ClipInspection
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import VideoError
from vidclass.types import Failure
from vidclass.video.probe import VideoInfo


def manifest_of(**columns: list[Any]) -> Manifest:
    """Build a manifest of columns: `label`, and any others."""
    columns.setdefault("video", [f"/v/{k}.avi" for k in range(len(columns["label"]))])
    return Manifest(Rows.from_columns(columns).table)


def inspected(number: int = 0, failed: str = "", **facts: Any) -> ClipInspection:
    """Build the inspection of a file with the given facts; by default 4 s long, 100 frames."""
    path = Path(f"/v/{number}.avi")
    if failed:
        error = VideoError(path, failed, stage="probe")
        return ClipInspection(None, Failure.from_error(error, video=path))
    flags = {name: facts.pop(name) for name in ("black", "frozen") if name in facts}
    defaults = {"duration_s": 4.0, "width": 320, "height": 240, "rotation_deg": 0, "fps": 25.0}
    defaults |= {"frame_count": 100, "codec": "h264", "pixel_format": "yuv420p"}
    defaults |= {"has_audio": False, "variable_frame_rate": False}
    info = VideoInfo(path=path, **{**defaults, **facts})
    return ClipInspection(
        info, None, info.duration_s, info.frame_count, inspected_frames=3, **flags
    )
