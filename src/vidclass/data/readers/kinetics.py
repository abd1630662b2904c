"""The CSV files of Kinetics: `label,youtube_id,time_start,time_end,split`.

Files are called as the usual downloaders call them: `ID_000010_000020.mp4`, which is the clip cut
out, or `ID.mp4`, which is the whole video, of which the clip is the part from `time_start` on.
"""

from __future__ import annotations

import math
from pathlib import Path

from vidclass.data.clip import clean_text
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.data.readers.cells import Cells, read_cells
from vidclass.data.readers.finding import split_folders
from vidclass.data.readers.options import ReadOptions
from vidclass.data.rows import SPLIT_WORDS, Rows
from vidclass.errors import ManifestError

_COLUMNS = ("youtube_id", "time_start", "time_end")
_EXTENSIONS = (".mp4", ".mkv", ".webm", *sorted(VIDEO_EXTENSIONS - {".mp4", ".mkv", ".webm"}))


def accepts(path: Path) -> bool:
    """A CSV whose header has the columns of Kinetics."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    with path.open("rb") as file:
        header = file.readline(4096).decode("utf-8-sig", "replace").lower()
    return set(_COLUMNS) <= {name.strip().strip('"') for name in header.split(",")}


def read(path: Path, options: ReadOptions) -> Rows:
    """A row a clip; cut-out clips are whole files, in whole videos the clip is a span.

    Videos are looked for in the root and beside the CSV: there, in folders named after the split,
    and in class folders below either, with blanks or underscores.

    Raises:
        ManifestError: the labels are missing, as in the lists of the test set, or a row is not
            like that.
    """
    cells = read_cells(path)
    places = {name.lower(): index for index, name in enumerate(cells.header)}
    if "label" not in places:
        raise ManifestError(
            f"{path.name} has no labels, as the lists of Kinetics's test set: only clips with a "
            "label can be used. Take the list for training or validation."
        )
    bases = [base for base in (options.root, path.parent) if base is not None]
    names = _Names(bases)
    columns: dict[str, list[str | float | None]] = {
        name: [] for name in ("video", "label", "split", "start_s", "stop_s", "group")
    }
    for number, row in zip(cells.numbers, cells.rows, strict=True):
        where = f"{path.name}, row {number}"
        label, video_id = clean_text(row[places["label"]]), row[places["youtube_id"]]
        if not label or not video_id:
            raise ManifestError(f"{where} has no label or no youtube_id: {row}.")
        start_s, stop_s = (_seconds(row[places[name]], name, where) for name in _COLUMNS[1:])
        if not 0 <= start_s < stop_s:
            raise ManifestError(
                f"{where}: a span must have 0 <= time_start < time_end, found {start_s} and "
                f"{stop_s}."
            )
        split = _split(cells, row, places, path, where)
        video, cut = names.find(video_id, start_s, stop_s, label, split)
        columns["video"].append(video)
        columns["label"].append(label)
        columns["split"].append(split)
        columns["start_s"].append(0.0 if cut else start_s)
        columns["stop_s"].append(None if cut else stop_s)
        # Clips of one video stay together.
        columns["group"].append(video_id)
    return Rows.from_columns(columns)


class _Names:
    """All video files below some folders, by name: Kinetics has too many to ask for each."""

    def __init__(self, bases: list[Path]) -> None:
        self._bases = bases
        self._listed: dict[Path, set[str]] = {}

    def find(
        self, video_id: str, start_s: float, stop_s: float, label: str, split: str | None
    ) -> tuple[str, bool]:
        """The file, and whether it is the clip cut out; the first name tried where none is."""
        stamps = (f"{start_s:06.0f}_{stop_s:06.0f}", f"{start_s:g}_{stop_s:g}")
        stems = [(f"{video_id}_{stamp}", True) for stamp in stamps] + [(video_id, False)]
        inner = [label, label.replace(" ", "_")]
        for base in self._bases:
            for outer in ("", *split_folders(split)):
                for folder in (base / outer, *(base / outer / name for name in inner)):
                    here = self._in(folder)
                    for stem, cut in stems:
                        for extension in _EXTENSIONS:
                            if stem + extension in here:
                                return str(folder / (stem + extension)), cut
        return str(self._bases[0] / f"{stems[0][0]}.mp4"), True

    def _in(self, folder: Path) -> set[str]:
        if folder not in self._listed:
            found = folder.iterdir() if folder.is_dir() else ()
            self._listed[folder] = {entry.name for entry in found}
        return self._listed[folder]


def _seconds(text: str, name: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ManifestError(f"{where}: {name} must be a number of seconds, found {text!r}.")
    return number


def _split(
    cells: Cells, row: list[str], places: dict[str, int], path: Path, where: str
) -> str | None:
    """The split of a row, else that which the file is named after."""
    if "split" in places and row[places["split"]]:
        word = row[places["split"]].lower()
        if word not in SPLIT_WORDS:
            raise ManifestError(f"{where}: split must be train, val or test, found {word!r}.")
        return SPLIT_WORDS[word]
    return next(
        (meaning for word, meaning in SPLIT_WORDS.items() if word in path.stem.lower().split("_")),
        None,
    )
