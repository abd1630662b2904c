"""Clips that failed before: remembered beside the features, so that they are not decoded again.

Only what the bytes of a video are to blame for is remembered, under the key of the clip: a file
that has changed is another clip.  Another version of vidclass, of PyAV or of FFmpeg, or another
limit of pixels, starts anew.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from vidclass.errors import VideoError
from vidclass.features.identity import VideoIdentity, hash_video
from vidclass.version import __version__
from vidclass.video.container import max_pixels
from vidclass.video.versions import decoder_version

RECORD_FILE = re.compile(r"(?P<settings>[0-9a-f]{32})\.failures\.sqlite(-journal)?")
# The number changes with the columns.
_TABLE = (
    "CREATE TABLE IF NOT EXISTS failures_1 "
    "(key TEXT PRIMARY KEY, made_by TEXT, stage TEXT, cause TEXT, hint TEXT)"
)
_BUSY_S = 5.0


def record_path(folder: Path, settings: str) -> Path:
    """Where the failures under a setting are remembered."""
    return folder / f"{settings}.failures.sqlite"


def is_lasting(error: BaseException, identity: VideoIdentity) -> bool:
    """Whether the bytes of the video are to blame: then another try would end the same.

    What the system refused, and want of memory, may be otherwise the next time.  So that an
    error of the disk does not pass for damage, the whole file must give the same bytes again.
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
    """The failures under one setting: a small database, and a help, no need.

    Where it is damaged, locked or cannot be written, clips are simply tried again.  Several
    processes may use it at once.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self._file = record_path(folder, settings)
        self._made_by = json.dumps([__version__, decoder_version(), max_pixels()])

    def find(self, keys: Collection[str]) -> dict[str, VideoError]:
        """Those of `keys` that failed before, and how; the errors name no video."""
        if not keys or not self._file.exists():
            return {}
        query = "SELECT key, cause, hint, stage FROM failures_1 WHERE made_by = ?"
        found = {}
        for key, cause, hint, stage in self._run(query, [(self._made_by,)]):
            # SQLite keeps what it is given: a column may hold something else than a text.
            if key in keys and all(isinstance(fact, str) for fact in (cause, hint, stage)):
                found[key] = VideoError("", cause, hint=hint, stage=stage)
        return found

    def add(self, key: str, error: VideoError) -> None:
        """Remember a failure; those of other versions are forgotten."""
        self._run("DELETE FROM failures_1 WHERE made_by != ?", [(self._made_by,)])
        row = (key, self._made_by, error.stage, error.cause, error.hint)
        self._run("INSERT OR REPLACE INTO failures_1 VALUES (?, ?, ?, ?, ?)", [row])

    def forget(self, keys: Collection[str]) -> None:
        """Forget failures, because the clips are tried again."""
        if self._file.exists():
            self._run("DELETE FROM failures_1 WHERE key = ?", [(key,) for key in keys])

    def _run(self, command: str, rows: list[tuple[str, ...]]) -> list[tuple[Any, ...]]:
        try:
            with closing(sqlite3.connect(self._file, timeout=_BUSY_S)) as connection:
                # A power cut may damage it then, but no more than these few rows are lost.
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute(_TABLE)
                with connection:
                    return [found for row in rows for found in connection.execute(command, row)]
        except sqlite3.OperationalError:
            return []  # locked, or not to be written: it may be better the next time
        except sqlite3.Error:
            with suppress(OSError):
                self._file.unlink()
            return []
