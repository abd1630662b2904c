"""The CSV files of Kinetics: `label,youtube_id,time_start,time_end,split`.

Files are named as the usual downloaders name them: `ID_000010_000020.mp4`, which is the clip cut
out, or `ID.mp4`, which is the whole video, of which the clip is the part from `time_start` on.
"""

from __future__ import annotations

import math
from pathlib import Path

from vidclass._core.text import listed, quoted
from vidclass.data.clip import clean_text
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.data.readers.locate import ClipRow, rows_from_clips, split_folders
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.table_cells import read_table
from vidclass.data.readers.text import read_head
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError

_COLUMNS = ("youtube_id", "time_start", "time_end")
_EXTENSIONS = (".mp4", ".mkv", ".webm", *sorted(VIDEO_EXTENSIONS - {".mp4", ".mkv", ".webm"}))
_HEADER_BYTES = 4096


def accepts(path: Path) -> bool:
    """Return whether this is a CSV whose header has the columns of Kinetics."""
    if path.suffix.lower() != ".csv":
        return False
    header = read_head(path, _HEADER_BYTES).partition("\n")[0].lower()
    return set(_COLUMNS) <= {name.strip().strip('"') for name in header.split(",")}


def read(path: Path, options: ReadOptions) -> Rows:
    """Read a clip per row: the whole file if it is cut out, else a span of the whole video.

    Videos are looked for in the root and beside the CSV: there, in folders named after the split,
    and in class folders below either, with blanks or underscores.

    Raises:
        ManifestError: there are no labels, as in the lists of the test set, or a row is not valid.
    """
    table = read_table(path)
    names = [name.lower() for name in table.header]
    if "label" not in names:
        raise ManifestError(
            f"{path.name} has no labels, as the lists of Kinetics's test set: only clips with a "
            "label can be used. Take the list for training or validation."
        )
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise ManifestError(f"{path.name} has no column {listed(quoted(missing))}: {table.header}.")
    index = _VideoIndex([base for base in (options.root, path.parent) if base is not None])
    clips = []
    for number, cells in zip(table.numbers, table.rows, strict=True):
        where = f"{path.name}, row {number}"
        row = dict(zip(names, cells, strict=True))
        label, video_id = clean_text(row["label"]), row["youtube_id"]
        if not label or not video_id:
            raise ManifestError(f"{where} has no label or no youtube_id: {cells}.")
        start_s, end_s = (_seconds(row[name], name, where) for name in _COLUMNS[1:])
        if not 0 <= start_s < end_s:
            raise ManifestError(
                f"{where}: a span must have 0 <= time_start < time_end, found {start_s} and "
                f"{end_s}."
            )
        split = _split(row.get("split", ""), path, where)
        video, is_cut = index.locate(video_id, start_s, end_s, label, split)
        row_start_s, row_stop_s = (0.0, None) if is_cut else (start_s, end_s)
        # Clips of one video stay together.
        clips.append(ClipRow(video, label, split, row_start_s, row_stop_s, group=video_id))
    return rows_from_clips(clips)


class _VideoIndex:
    """File names in folders, listed once each: Kinetics has too many videos to ask for each."""

    def __init__(self, bases: list[Path]) -> None:
        self._bases = bases
        self._names_by_folder: dict[Path, set[str]] = {}

    def locate(
        self, video_id: str, start_s: float, stop_s: float, label: str, split: str | None
    ) -> tuple[str, bool]:
        """Return the file, and whether it is the clip cut out; the first name tried if none is."""
        stamps = (f"{start_s:06.0f}_{stop_s:06.0f}", f"{start_s:g}_{stop_s:g}")
        stems = [(f"{video_id}_{stamp}", True) for stamp in stamps] + [(video_id, False)]
        class_folders = [label, label.replace(" ", "_")]
        for base in self._bases:
            for outer in ("", *split_folders(split)):
                for folder in (base / outer, *(base / outer / name for name in class_folders)):
                    names = self._names_in(folder)
                    for stem, is_cut in stems:
                        for extension in _EXTENSIONS:
                            if stem + extension in names:
                                return str(folder / (stem + extension)), is_cut
        return str(self._bases[0] / f"{stems[0][0]}.mp4"), True

    def _names_in(self, folder: Path) -> set[str]:
        if folder not in self._names_by_folder:
            entries = folder.iterdir() if folder.is_dir() else ()
            self._names_by_folder[folder] = {entry.name for entry in entries}
        return self._names_by_folder[folder]


def _seconds(text: str, name: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ManifestError(f"{where}: {name} must be a number of seconds, found {text!r}.")
    return number


def _split(text: str, path: Path, where: str) -> str | None:
    """Return the split of a row, else the one the file is named after."""
    if text:
        word = text.lower()
        if word not in SPLIT_WORDS:
            raise ManifestError(f"{where}: split must be train, val or test, found {word!r}.")
        return SPLIT_WORDS[word]
    words = path.stem.lower().split("_")
    return next((split for word, split in SPLIT_WORDS.items() if word in words), None)


READER = Reader(
    "kinetics",
    "a Kinetics CSV (label, youtube_id, time_start, time_end, split)",
    accepts,
    read,
    TABLE_OPTIONS - {"fps"},
)
