"""Failed clips: counts by class, and a record that saves decoding them again.

Only failures that the bytes of a video cause are recorded, under the key of the clip: a changed
file is another clip.  Records of another version of vidclass, PyAV or FFmpeg, or made under another
limit of pixels, do not count.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from vidclass._core.sqlite_cache import SqliteCache
from vidclass._core.text import counted, listed
from vidclass.data.clip import labels_in
from vidclass.data.manifest import Manifest
from vidclass.errors import VideoError
from vidclass.features.identity import VideoIdentity, hash_video
from vidclass.version import __version__
from vidclass.video.container import decoder_version, max_pixels

RECORD_FILE = re.compile(r"(?P<settings>[0-9a-f]{32})\.failures\.sqlite(-journal)?")
# The number changes with the columns.
_TABLE = (
    "CREATE TABLE IF NOT EXISTS failures_1 "
    "(key TEXT PRIMARY KEY, made_by TEXT, stage TEXT, cause TEXT, hint TEXT)"
)
_MAX_LISTED_CLASSES = 10


class FailureMetrics(TypedDict):
    """Fields of metrics that count failed clips."""

    failed: int
    failed_by_class: dict[str, int]


@dataclass(frozen=True)
class FailureCounts:
    """Numbers of clips that failed, and so are in no score.

    A clip of several classes counts in each of them, but once in `clips`.

    Attributes:
        clips: Number of failed clips.
        by_class: Number of failed clips of each class with any, sorted by class.
        total_by_class: Number of all clips of each of these classes.
    """

    clips: int = 0
    by_class: dict[str, int] = field(default_factory=dict)
    total_by_class: dict[str, int] = field(default_factory=dict)

    @property
    def unreadable_classes(self) -> list[str]:
        """Classes of which every clip failed."""
        return [name for name, count in self.by_class.items() if count == self.total_by_class[name]]

    def as_metrics(self) -> FailureMetrics:
        """Return the counts as fields of metrics."""
        return {"failed": self.clips, "failed_by_class": self.by_class}

    def notes(self) -> tuple[str, ...]:
        """Return sentences for the user; none if no clip failed."""
        if not self.clips:
            return ()
        shares = [
            f"{count} of {self.total_by_class[name]} of {name!r}"
            for name, count in self.by_class.items()
        ]
        verb = "is" if self.clips == 1 else "are"
        return (
            f"{counted(self.clips, 'clip')} failed and {verb} in no score: "
            f"{listed(shares, most=_MAX_LISTED_CLASSES)}",
            *(
                f"no clip of {name!r} could be read: this class is left out"
                for name in self.unreadable_classes
            ),
        )


def count_failures(
    manifest: Manifest, failed: Sequence[bool], *, split: str | None = None
) -> FailureCounts:
    """Count failed clips by class.

    Args:
        manifest: The clips.
        failed: Whether each clip failed, in the manifest's order.
        split: Count the clips of this given split only.
    """
    table = manifest.table
    clips, total, by_class = 0, Counter[str](), Counter[str]()
    for label, part, has_failed in zip(table["label"], table["split"], failed, strict=True):
        if split is None or part == split:
            clips += has_failed
            total.update(labels_in(label))
            by_class.update(labels_in(label) if has_failed else ())
    names = sorted(by_class)
    return FailureCounts(
        clips, {name: by_class[name] for name in names}, {name: total[name] for name in names}
    )


def record_path(folder: Path, settings: str) -> Path:
    """Return the path of the failure record of a feature setting."""
    return folder / f"{settings}.failures.sqlite"


def is_lasting(error: BaseException, identity: VideoIdentity) -> bool:
    """Return whether the bytes of the video cause the error, so that a retry would fail too.

    An error of the system, or a lack of memory, may pass.  The whole file is hashed again, so that
    an error of the disk is not taken for damage.
    """
    if not isinstance(error, VideoError) or not error.lasting:
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError | MemoryError):
            return False
        cause = cause.__cause__ or cause.__context__
    try:
        return hash_video(identity.path).sha256 == identity.sha256
    except VideoError:
        return False


class FailureRecord:
    """Best-effort SQLite record of the clips that failed under one feature setting.

    If it is damaged, locked or not writable, clips are simply tried again.  Several processes may
    use it at once.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self._file = record_path(folder, settings)
        self._made_by = json.dumps([__version__, decoder_version(), max_pixels()])

    def find(self, keys: Collection[str]) -> dict[str, VideoError]:
        """Return the recorded errors of `keys`, by key; they name no video."""
        if not keys or not self._file.exists():
            return {}
        query = "SELECT key, cause, hint, stage FROM failures_1 WHERE made_by = ?"
        errors = {}
        for key, cause, hint, stage in self._run(query, [(self._made_by,)]):
            # SQLite enforces no column types: a damaged row may hold something other than text.
            if key in keys and all(isinstance(value, str) for value in (cause, hint, stage)):
                errors[key] = VideoError("", cause, hint=hint, stage=stage)
        return errors

    def add(self, key: str, error: VideoError) -> None:
        """Record a failure, and delete the records of other versions."""
        self._run("DELETE FROM failures_1 WHERE made_by != ?", [(self._made_by,)])
        row = (key, self._made_by, error.stage, error.cause, error.hint)
        self._run("INSERT OR REPLACE INTO failures_1 VALUES (?, ?, ?, ?, ?)", [row])

    def forget(self, keys: Collection[str]) -> None:
        """Delete the records of `keys`."""
        if self._file.exists():
            self._run("DELETE FROM failures_1 WHERE key = ?", [(key,) for key in keys])

    def _run(self, command: str, rows: list[tuple[str, ...]]) -> list[tuple[Any, ...]]:
        # A power cut may damage the file, but only these few rows are lost.
        with closing(SqliteCache(self._file, _TABLE, fast=True)) as cache:
            return cache.run(command, rows)
