"""The contract of a reader, and the options it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidclass.data.rows import Rows

# Options of `read_source` that readers of tables, and of official lists, use.
TABLE_OPTIONS = frozenset({"root", "fps", "multi_label"})
OFFICIAL_OPTIONS = frozenset({"root", "official_split"})


@dataclass(frozen=True)
class ReadOptions:
    """Options of a reader; None if not given.

    Attributes:
        root: Folder of the videos (absolute).
        official_split: Number of one of the data set's official splits, from 1.
        labels: File of class names (absolute).
        fps: Frames per second of image sequences, and of annotations by frame number.
    """

    root: Path | None = None
    official_split: int | None = None
    labels: Path | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Reader:
    """A format of sources.

    Attributes:
        name: Name of the format, for `format=`.
        description: Completes "A SOURCE is ...".
        accepts: Returns whether a path has this format, by its names and first lines; opens no
            video and never raises for a readable path.
        read: Reads the clips from an absolute path; raises ManifestError, naming the file.
        options: Names of the options of `read_source` that this format uses.
        general: True for formats without a tool behind them; no note says how they were read.
    """

    name: str
    description: str
    accepts: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Rows]
    options: frozenset[str] = frozenset()
    general: bool = False
