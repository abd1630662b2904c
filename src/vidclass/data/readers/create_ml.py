"""Create ML's annotations of actions in videos: a CSV or JSON with spans in seconds.

```
video,label,start,end
fitness.mov,Jumping Jacks,0.5,00:12.25
```
```
[{"video": "fitness.mov", "label": "Jumping Jacks", "start": 0.5, "end": "00:12.25"}]
```

A time is a number of seconds, or text like `12.5`, `01:03`, `01:03.14` or `05:01:03`.  An empty
start is the beginning of the video, an empty end its end.  Apple documents this under "Building an
Action Classifier Data Source".  Only files with `start` and `end` are taken: the general table
calls them `start_s` and `stop_s`.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

from vidclass._core.text import listed, quoted
from vidclass.data.readers.cells import Cells, read_cells
from vidclass.data.readers.columns import NAMES
from vidclass.data.readers.finding import Finder, Found, class_name, rows_of
from vidclass.data.readers.options import ReadOptions
from vidclass.data.readers.strict import (
    first_entry,
    first_line,
    load_entries,
    number_in,
    refuse,
    shown,
)
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

EXTENSIONS = frozenset({".csv", ".tsv", ".json"})

# Minutes and hours only before a colon; the number of digits keeps float() from overflowing.
_TIME = re.compile(r"(?:(?:([0-9]{1,6}):)?([0-9]{1,6}):)?([0-9]{1,15}(?:\.[0-9]{0,15})?)")


def accepts(path: Path) -> bool:
    """A CSV or JSON with a video, a label, `start` and `end`."""
    if path.suffix.lower() not in EXTENSIONS:
        return False
    if path.suffix.lower() == ".json":
        return _is_whole(first_entry(path))
    line = first_line(path)
    try:
        headers = [next(csv.reader([line], delimiter=delimiter), []) for delimiter in ",;\t|"]
    except csv.Error:
        return False
    return any(_is_whole(dict.fromkeys(header)) for header in headers)


def read(path: Path, options: ReadOptions) -> Rows:
    """The annotated spans.

    Raises:
        ManifestError: a row has no video or label, or its times are no span.
    """
    entries, notes = _entries(path)
    finder = Finder.beside(path, options)
    found: list[Found] = []
    wrong: list[str] = []
    for where, entry in entries:
        video, label = entry["video"], entry["label"]
        start_s, stop_s = _seconds(entry["start"], 0.0), _seconds(entry["end"], math.inf)
        if not (isinstance(video, str) and video.strip()):
            wrong.append(f"{where} has the video {shown(video)}")
        elif not isinstance(label, str):
            wrong.append(f"{where} has the label {shown(label)}")
        elif start_s is None or stop_s is None or not 0 <= start_s < stop_s:
            times = f"start {shown(entry['start'])} and end {shown(entry['end'])}"
            wrong.append(f"{where} has {times}")
        else:
            name = class_name(label, f"{path.name}, {where}")
            place = finder.find(video.strip(), label=name)
            stop = None if stop_s == math.inf else stop_s
            found.append(Found(place, name, None, start_s, stop))
    rule = "a row needs a video, a label and 0 <= start < end in seconds, or like 01:03.5"
    refuse(path, rule, wrong)
    return rows_of(found, options, notes)


def _entries(path: Path) -> tuple[list[tuple[str, dict[str, object]]], list[str]]:
    """Each row as where it stands and what it says, and a note on what is not used."""
    rows: list[tuple[str, Mapping[str, object]]]
    if path.suffix.lower() == ".json":
        entries = load_entries(path)
        rows = [(f"entry {number}", entry) for number, entry in enumerate(entries, start=1)]
        names = sorted({name for entry in entries for name in entry})
    else:
        cells = _cells(path)
        rows = [
            (f"row {number}", dict(zip(cells.header, row, strict=True)))
            for number, row in zip(cells.numbers, cells.rows, strict=True)
        ]
        names = cells.header
    found = []
    used: set[str] = set()
    for where, entry in rows:
        keys = _keys(entry)
        missing = [meaning for meaning in ("video", "label") if meaning not in keys]
        if missing:
            raise ManifestError(
                f"{path.name}, {where} has no {missing[0]}; its names are {listed(quoted(entry))}."
            )
        found.append((where, {meaning: entry.get(keys.get(meaning, "")) for meaning in _MEANINGS}))
        used.update(keys.values())
    unused = [name for name in names if name and name not in used]
    return found, [f"{path.name}: columns not used: {listed(quoted(unused))}."] if unused else []


def _cells(path: Path) -> Cells:
    if not os.path.isfile(path):
        raise ManifestError(f"{str(path)!r} cannot be read: it is no file.")
    try:
        return read_cells(path)
    except csv.Error as error:
        raise ManifestError(f"{path.name} is not well-formed CSV: {error}.") from error


_MEANINGS: Mapping[str, tuple[str, ...]] = {
    "video": NAMES["video"],
    "label": NAMES["label"],
    "start": ("start",),
    "end": ("end",),
}


def _keys(entry: Mapping[str, object]) -> dict[str, str]:
    """Which of the names in an entry stands for what."""
    places = {name.strip().lower(): name for name in entry}
    return {
        meaning: next(places[name] for name in names if name in places)
        for meaning, names in _MEANINGS.items()
        if any(name in places for name in names)
    }


def _is_whole(entry: Mapping[str, object]) -> bool:
    return len(_keys(entry)) == len(_MEANINGS)


def _seconds(value: object, if_empty: float) -> float | None:
    """Seconds, or None if the value is no time."""
    if value is None or value == "":
        return if_empty
    if isinstance(value, str):
        match = _TIME.fullmatch(value.strip())
        if match is None:
            return None
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds
    return number_in(value)
