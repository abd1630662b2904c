"""The table of all readers, and reading a source with the right one."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    table,
    ucf101,
    videofolder,
)
from vidclass.data.readers.reader import Reader, ReadOptions
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, ManifestError, require_choice

# The first that accepts a path reads it: from the most particular to the most general.
READERS: tuple[Reader, ...] = (
    label_studio.READER,
    create_ml.READER,
    cvat.READER,
    kinetics.READER,
    something_something.READER,
    ucf101.READER,
    hmdb51.READER,
    videofolder.READER,
    mmaction2.READER,
    table.SPLIT_TABLES,
    table.READER,
    folder.READER,
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
    """Read a source with the reader that accepts it, or with the one that `format` names.

    Duplicate rows are dropped; with `multi_label` rows of the same clip are merged into one.

    Raises:
        ManifestError: no reader accepts the source, or its reader cannot use it.
        ConfigError: the format is unknown, or does not use one of the options.
    """
    path = _absolute(source)
    options = ReadOptions(
        root=_existing("root", root, folder=True),
        official_split=official_split,
        labels=_existing("labels", labels, folder=False),
        fps=fps,
    )
    if fps is not None and not 0 < fps <= 1000:
        raise ConfigError(f"fps={fps} must be more than 0 and at most 1000 frames a second.")
    _require_source(source, path)
    try:
        reader = _choose_reader(path, source, format)
        given = {"root": root, "official_split": official_split, "labels": labels, "fps": fps}
        _require_used(reader, given | {"multi_label": multi_label or None}, source)
        rows = reader.read(path, options)
    except OSError as error:
        where = error.filename or str(path)
        raise ManifestError(f"{where!r} cannot be read: {error.strerror}.") from error
    if not reader.general:
        rows = Rows(rows.table, (f"read as {reader.name}: {reader.description}.", *rows.notes))
    if multi_label:
        rows = rows.with_merged_labels()
    return rows.without_duplicates()


def _choose_reader(path: Path, source: str | Path, format: str | None) -> Reader:
    if format is not None:
        by_name = {reader.name: reader for reader in READERS}
        reader = by_name[require_choice("format", format, by_name)]
        if reader.accepts(path):
            return reader
        other = _accepting_reader(path)
        hint = f" It looks like {other.name}: {other.description}." if other else ""
        raise ManifestError(
            f"{str(source)!r} cannot be read as {reader.name}, {reader.description}.{hint}"
        )
    accepting = _accepting_reader(path)
    if accepting is not None:
        return accepting
    if path.suffix.lower() in VIDEO_EXTENSIONS:
        raise ManifestError(f"{str(source)!r} is one video, without a label. {_allowed()}")
    raise ManifestError(f"{str(source)!r} is not a source of labelled videos. {_allowed()}")


def _accepting_reader(path: Path) -> Reader | None:
    return next((reader for reader in READERS if reader.accepts(path)), None)


def _require_source(source: str | Path, path: Path) -> None:
    if not str(source).strip() or not path.exists():
        siblings = os.listdir(path.parent) if path.parent.is_dir() else []
        hint = did_you_mean(path.name, siblings)
        raise ManifestError(f"the source {str(source)!r} does not exist.{hint} {_allowed()}")


def _require_used(reader: Reader, given: Mapping[str, object], source: str | Path) -> None:
    """Require the reader to use each given option: one without effect is a mistake."""
    for name, value in given.items():
        if value is not None and name not in reader.options:
            shown = value if isinstance(value, bool | int | float) else repr(str(value))
            users = [other.name for other in READERS if name in other.options]
            raise ConfigError(
                f"{name}={shown} means nothing for {str(source)!r}, read as {reader.name}: it is "
                f"for {listed(users, most=12)}."
            )


def _absolute(path: str | Path) -> Path:
    # Not resolved: a link's own name is what carries label and group.
    return Path(os.path.abspath(Path(path).expanduser()))


def _existing(name: str, path: str | Path | None, *, folder: bool) -> Path | None:
    """Return the absolute path of the option `name`, which must exist if given."""
    if path is None:
        return None
    absolute = _absolute(path)
    if not (absolute.is_dir() if folder else absolute.is_file()):
        raise ManifestError(f"{name}={str(path)!r} is not a {'folder' if folder else 'file'}.")
    return absolute


def _allowed() -> str:
    general = [reader.description for reader in reversed(READERS) if reader.general]
    others = [reader.name for reader in READERS if not reader.general]
    return f"A SOURCE is {', '.join(general)}, or of the format {' or '.join(others)}."
