"""The ledger of an earlier run: what failed then, and what comes of it now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from vidclass.audit.findings import cause_of
from vidclass.audit.model import LedgerEntry
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.engine.local import run_each
from vidclass.errors import ConfigError
from vidclass.types import Failure, Progress, Span
from vidclass.video.decode import decode_clip

# As many frames as are used by default.
_SAMPLING = SamplingConfig()
_GEOMETRY = GeometryConfig(size=32)
_NEEDED = ("video", "stage", "error_type", "message")


def read_ledger(path: Path) -> list[Failure]:
    """The rows of a ledger, in their order; keys that are not known are passed over.

    Raises:
        ConfigError: the file cannot be read, or a line of it is no row of a ledger.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the ledger {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the ledger {path} is not text in UTF-8") from error
    # Not splitlines: it takes more characters for the end of a line than JSON does.
    rows = enumerate(text.split("\n"), 1)
    return [_row(path, number, line) for number, line in rows if line.strip()]


def try_again(failures: Sequence[Failure], progress: Progress) -> list[LedgerEntry]:
    """Try to read each of the videos now: frames all over it, as many as are used by default.

    Args:
        failures: The rows of the ledger.
        progress: Told of the stage `ledger`, in videos.
    """
    videos = list(dict.fromkeys(failure.video for failure in failures))
    now: dict[str, str] = {}
    with closing(run_each(_read, videos)) as results:
        for count, done in enumerate(results, 1):
            failure = done.error and Failure.of(done.item, done.error)
            now[done.item] = cause_of(failure) if failure else ""
            progress("ledger", count, len(videos))
    return [LedgerEntry(failure, cause_of(failure), now[failure.video]) for failure in failures]


def _read(video: str) -> None:
    decode_clip(Path(video), span=Span(), sampling=_SAMPLING, geometry=_GEOMETRY)


def _row(path: Path, number: int, line: str) -> Failure:
    try:
        row: Any = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in _NEEDED):
        raise ConfigError(
            f"line {number} of {path} is no row of a ledger: it needs {', '.join(_NEEDED)}, "
            f"received: {line[:80]!r}"
        )
    texts = {name: row[name] for name in _NEEDED}
    return Failure(**texts, hint=str(row.get("hint") or ""))
