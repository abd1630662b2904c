"""Create ML annotations of actions in videos: a CSV or JSON with spans in seconds.

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
import re
from collections.abc import Mapping
from pathlib import Path

from vidclass._core.text import listed, quoted
from vidclass.data.readers.locate import ClipRow, VideoLocator, class_name, rows_from_clips
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.table_cells import COLUMN_NAMES, DELIMITERS, read_table
from vidclass.data.readers.text import (
    as_number,
    first_entry,
    first_line,
    load_entries,
    require_valid,
    short_repr,
)
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

EXTENSIONS = frozenset({".csv", ".tsv", ".json"})

# Minutes and hours only before a colon; the number of digits keeps float() from overflowing.
_TIME = re.compile(r"(?:(?:([0-9]{1,6}):)?([0-9]{1,6}):)?([0-9]{1,15}(?:\.[0-9]{0,15})?)")


def accepts(path: Path) -> bool:
    """Return whether this is a CSV or JSON with a video, a label, `start` and `end`."""
    if path.suffix.lower() not in EXTENSIONS:
        return False
    if path.suffix.lower() == ".json":
        return _has_all_keys(first_entry(path))
    line = first_line(path)
    try:
        headers = [next(csv.reader([line], delimiter=delimiter), []) for delimiter in DELIMITERS]
    except csv.Error:
        return False
    return any(_has_all_keys(dict.fromkeys(header)) for header in headers)


def read(path: Path, options: ReadOptions) -> Rows:
    """Read the annotated spans.

    Raises:
        ManifestError: a row has no video or label, or its times are no span.
    """
    entries, notes = _entries(path)
    locator = VideoLocator.beside(path, options)
    clips: list[ClipRow] = []
    invalid: list[str] = []
    for where, entry in entries:
        video, label = entry["video"], entry["label"]
        start_s, stop_s = _seconds(entry["start"], 0.0), _seconds(entry["end"], math.inf)
        if not (isinstance(video, str) and video.strip()):
            invalid.append(f"{where} has the video {short_repr(video)}")
        elif not isinstance(label, str):
            invalid.append(f"{where} has the label {short_repr(label)}")
        elif start_s is None or stop_s is None or not 0 <= start_s < stop_s:
            times = f"start {short_repr(entry['start'])} and end {short_repr(entry['end'])}"
            invalid.append(f"{where} has {times}")
        else:
            name = class_name(label, f"{path.name}, {where}")
            located = locator.locate(video.strip(), label=name)
            stop = None if stop_s == math.inf else stop_s
            clips.append(ClipRow(located, name, None, start_s, stop))
    rule = "a row needs a video, a label and 0 <= start < end in seconds, or like 01:03.5"
    require_valid(path, rule, invalid)
    return rows_from_clips(clips, notes)


def _entries(path: Path) -> tuple[list[tuple[str, dict[str, object]]], list[str]]:
    """Return location and values of each row, and a note on unused columns."""
    rows: list[tuple[str, Mapping[str, object]]]
    if path.suffix.lower() == ".json":
        entries = load_entries(path)
        rows = [(f"entry {number}", entry) for number, entry in enumerate(entries, start=1)]
        names = sorted({name for entry in entries for name in entry})
    else:
        cells = read_table(path)
        rows = [
            (f"row {number}", dict(zip(cells.header, row, strict=True)))
            for number, row in zip(cells.numbers, cells.rows, strict=True)
        ]
        names = cells.header
    values = []
    used: set[str] = set()
    for where, entry in rows:
        keys = _keys(entry)
        missing = [field for field in ("video", "label") if field not in keys]
        if missing:
            raise ManifestError(
                f"{path.name}, {where} has no {missing[0]}; its names are {listed(quoted(entry))}."
            )
        values.append((where, {field: entry.get(keys.get(field, "")) for field in _FIELDS}))
        used.update(keys.values())
    unused = [name for name in names if name and name not in used]
    return values, [f"{path.name}: columns not used: {listed(quoted(unused))}."] if unused else []


_FIELDS: Mapping[str, tuple[str, ...]] = {
    "video": COLUMN_NAMES["video"],
    "label": COLUMN_NAMES["label"],
    "start": ("start",),
    "end": ("end",),
}


def _keys(entry: Mapping[str, object]) -> dict[str, str]:
    """Return the key of each field in an entry."""
    by_name = {key.strip().lower(): key for key in entry}
    return {
        field: next(by_name[name] for name in names if name in by_name)
        for field, names in _FIELDS.items()
        if any(name in by_name for name in names)
    }


def _has_all_keys(entry: Mapping[str, object]) -> bool:
    return len(_keys(entry)) == len(_FIELDS)


def _seconds(value: object, if_empty: float) -> float | None:
    """Return seconds, or None if the value is no time."""
    if value is None or value == "":
        return if_empty
    if isinstance(value, str):
        match = _TIME.fullmatch(value.strip())
        if match is None:
            return None
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds
    return as_number(value)


READER = Reader(
    "create_ml",
    "annotations of Create ML (video, label, start, end)",
    accepts,
    read,
    TABLE_OPTIONS - {"fps"},
)
