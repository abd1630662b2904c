"""From the name of a source to its rows: the table of all readers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidclass._core.text import did_you_mean, listed
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.data.readers import (
    create_ml,
    cvat,
    folder,
    hmdb51,
    kinetics,
    label_studio,
    mmaction2,
    something_something,
    split_tables,
    table,
    ucf101,
    videofolder,
)
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, ManifestError, require_choice

_PLAIN = frozenset({"table", "split_tables", "folder"})
_TABLE = frozenset({"--root", "--fps", "--multi-label"})


@dataclass(frozen=True)
class Reader:
    """One kind of source.

    Attributes:
        name: What `--format` calls it.
        what: Completes "A SOURCE is ...".
        accepts: Looks at the path and at what it holds, not into videos.
        read: Gets the absolute path and the options.
        uses: The options of the command line that mean something to it.
    """

    name: str
    what: str
    accepts: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Rows]
    uses: frozenset[str]


# The first that accepts a path reads it: from the most particular to the most general.
READERS: tuple[Reader, ...] = (
    Reader(
        "label_studio",
        "a JSON export of Label Studio",
        label_studio.accepts,
        label_studio.read,
        _TABLE,
    ),
    Reader(
        "create_ml",
        "annotations of Create ML (video, label, start, end)",
        create_ml.accepts,
        create_ml.read,
        _TABLE - {"--fps"},
    ),
    Reader("cvat", "an export of CVAT (video 1.1)", cvat.accepts, cvat.read, _TABLE),
    Reader(
        "kinetics",
        "a Kinetics CSV (label, youtube_id, time_start, time_end, split)",
        kinetics.accepts,
        kinetics.read,
        frozenset({"--root", "--multi-label"}),
    ),
    Reader(
        "something_something",
        "lists of Something-Something (id, template)",
        something_something.accepts,
        something_something.read,
        _TABLE,
    ),
    Reader(
        "ucf101",
        "the official lists of UCF101 (classInd.txt, trainlist01.txt, testlist01.txt)",
        ucf101.accepts,
        ucf101.read,
        frozenset({"--root", "--official-split"}),
    ),
    Reader(
        "hmdb51",
        "the split files of HMDB51 (CLASS_test_split1.txt)",
        hmdb51.accepts,
        hmdb51.read,
        frozenset({"--root", "--official-split"}),
    ),
    Reader(
        "videofolder",
        "a Hugging Face videofolder (metadata.csv with file_name)",
        videofolder.accepts,
        videofolder.read,
        _TABLE - {"--root"},
    ),
    Reader(
        "mmaction2",
        "lists of MMAction2 or PySlowFast (path and number of the class)",
        mmaction2.accepts,
        mmaction2.read,
        _TABLE | {"--labels", "--official-split"},
    ),
    Reader(
        "split_tables",
        "a folder with train.csv and test.csv",
        split_tables.accepts,
        split_tables.read,
        _TABLE,
    ),
    Reader("table", "a CSV, TSV, JSONL or Parquet file", table.accepts, table.read, _TABLE),
    Reader(
        "folder",
        "a folder with one sub-folder per class",
        folder.accepts,
        folder.read,
        frozenset({"--fps"}),
    ),
)


def read_source(
    source: str | Path,
    *,
    root: str | Path | None = None,
    format: str | None = None,
    official_split: int | None = None,
    labels: str | Path | None = None,
    fps: float | None = None,
    multi_label: bool = False,
) -> Rows:
    """Find the reader for `source`, or take the one that `format` names, and run it.

    Raises:
        ManifestError: no reader takes it, or its own reader cannot use it.
        ConfigError: there is no such format, or it has no use for one of the options.
    """
    path = _absolute(source)
    options = ReadOptions(
        root=_folder("--root", root),
        official_split=official_split,
        labels=_file("--labels", labels),
        fps=_rate(fps),
        multi_label=multi_label,
    )
    if not str(source).strip() or not path.exists():
        siblings = os.listdir(path.parent) if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings)
        raise ManifestError(f"the source {str(source)!r} does not exist.{hint} {_allowed()}")
    try:
        reader = _reader_of(path, source, format)
        _require_use(reader, options, source)
        rows = reader.read(path, options)
    except OSError as error:
        where = error.filename or str(path)
        raise ManifestError(f"{where!r} cannot be read: {error.strerror}.") from error
    if reader.name not in _PLAIN:
        rows = Rows(rows.table, (f"read as {reader.name}: {reader.what}.", *rows.notes))
    if multi_label:
        rows = rows.with_merged_labels()
    return rows.without_duplicates()


def _reader_of(path: Path, source: str | Path, format: str | None) -> Reader:
    if format is not None:
        named = {reader.name: reader for reader in READERS}
        chosen = named[require_choice("format", format, named)]
        if not chosen.accepts(path):
            found = next((reader for reader in READERS if reader.accepts(path)), None)
            hint = f" It looks like {found.name}: {found.what}." if found else ""
            raise ManifestError(
                f"{str(source)!r} cannot be read as {chosen.name}, {chosen.what}.{hint}"
            )
        return chosen
    for reader in READERS:
        if reader.accepts(path):
            return reader
    if path.suffix.lower() in VIDEO_EXTENSIONS:
        raise ManifestError(f"{str(source)!r} is one video, without a label. {_allowed()}")
    raise ManifestError(f"{str(source)!r} is not a source of labelled videos. {_allowed()}")


def _require_use(reader: Reader, options: ReadOptions, source: str | Path) -> None:
    """An option that would change nothing was given by mistake."""
    for name, value in options.given().items():
        if name not in reader.uses:
            takes = [other.name for other in READERS if name in other.uses]
            raise ConfigError(
                f"{name} {value} means nothing for {str(source)!r}, read as {reader.name}: it is "
                f"for {listed(takes, most=12)}."
            )


def _absolute(path: str | Path) -> Path:
    # Not resolved: a link's own name is what carries label and group.
    return Path(os.path.abspath(Path(path).expanduser()))


def _folder(option: str, path: str | Path | None) -> Path | None:
    if path is None:
        return None
    if not _absolute(path).is_dir():
        raise ManifestError(f"{option} {str(path)!r} is not a folder.")
    return _absolute(path)


def _file(option: str, path: str | Path | None) -> Path | None:
    if path is None:
        return None
    if not _absolute(path).is_file():
        raise ManifestError(f"{option} {str(path)!r} is not a file.")
    return _absolute(path)


def _rate(fps: float | None) -> float | None:
    if fps is not None and not 0 < fps <= 1000:
        raise ConfigError(f"fps={fps} must be more than 0 and at most 1000 frames a second.")
    return fps


def _allowed() -> str:
    plain = [reader.what for reader in reversed(READERS) if reader.name in _PLAIN]
    others = [reader.name for reader in READERS if reader.name not in _PLAIN]
    return f"A SOURCE is {', '.join(plain)}, or of the format {' or '.join(others)}."
