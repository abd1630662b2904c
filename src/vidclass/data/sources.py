"""From the name of a source to its rows: the table of all readers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidclass.data.extensions import VIDEO_EXTENSIONS
from vidclass.data.readers import folder, split_tables, table
from vidclass.data.rows import Rows
from vidclass.data.wording import did_you_mean
from vidclass.errors import ManifestError


@dataclass(frozen=True)
class Reader:
    """One kind of source.

    `what` completes "A SOURCE is ..."; `accepts` looks at the path, not into videos; `read` gets
    the absolute path and the absolute `--root`, or None.
    """

    what: str
    accepts: Callable[[Path], bool]
    read: Callable[[Path, Path | None], Rows]


# The first that accepts a path reads it.
READERS: tuple[Reader, ...] = (
    Reader("a CSV, TSV or Parquet file", table.accepts, table.read),
    Reader("a folder with train.csv and test.csv", split_tables.accepts, split_tables.read),
    Reader("a folder with one sub-folder per class", folder.accepts, folder.read),
)


def read_source(source: str | Path, *, root: str | Path | None = None) -> Rows:
    """Find the reader for `source` and run it.

    Raises:
        ManifestError: no reader takes it, or its own reader cannot use it.
    """
    path = _absolute(source)
    base = None if root is None else _absolute(root)
    if base is not None and not base.is_dir():
        raise ManifestError(f"--root {str(root)!r} is not a folder.")
    if not str(source).strip() or not path.exists():
        siblings = os.listdir(path.parent) if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings)
        raise ManifestError(f"the source {str(source)!r} does not exist.{hint} {_allowed()}")
    try:
        for reader in READERS:
            if reader.accepts(path):
                return reader.read(path, base)
    except OSError as error:
        where = error.filename or str(path)
        raise ManifestError(f"{where!r} cannot be read: {error.strerror}.") from error
    if path.suffix.lower() in VIDEO_EXTENSIONS:
        raise ManifestError(f"{str(source)!r} is one video, without a label. {_allowed()}")
    raise ManifestError(f"{str(source)!r} is not a source of labelled videos. {_allowed()}")


def _absolute(path: str | Path) -> Path:
    # Not resolved: a link's own name is what carries label and group.
    return Path(os.path.abspath(Path(path).expanduser()))


def _allowed() -> str:
    kinds = [reader.what for reader in READERS]
    return f"A SOURCE is {', '.join(kinds[:-1])} or {kinds[-1]}."
