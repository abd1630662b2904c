"""Something-Something, versions 1 and 2: a list of numbered clips with their templates.

```
[{"id": "78687", "label": "holding potato next to vicks vaporub bottle",
  "template": "Holding [something] next to [something]", "placeholders": ["potato", ...]}]
```

The class is the template without its brackets; the clip is `ID.webm` or `ID.mp4`, or, in version 1,
a folder ID of frame pictures.  The lists of version 1, and the answers to the test set of version
2, are CSV lines `ID;class` without a header.  A folder with lists for train and validation gives
splits, and its `labels.json` the classes that are allowed.  The format is described in the
instructions that come with the data set ("20BN-SOMETHING-SOMETHING: Download Instructions").
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from vidclass._core.text import listed, quoted
from vidclass.data.readers.finding import (
    Finder,
    Found,
    class_name,
    files_in,
    given_fps,
    only_one,
    rows_of,
    split_of,
)
from vidclass.data.readers.options import ReadOptions
from vidclass.data.readers.strict import (
    first_entry,
    first_line,
    load_entries,
    load_json,
    read_text,
    refuse,
    shown,
)
from vidclass.data.rows import SPLITS, Rows
from vidclass.errors import ManifestError

FOLDERS = ("20bn-something-something-v2", "20bn-something-something-v1", "videos")

_CSV_LINE = re.compile(r"([0-9]{1,12});(.+)")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def accepts(path: Path) -> bool:
    """A list of clips with templates, or a folder with such a list for train."""
    if os.path.isdir(path):
        return "train" in _lists(path)
    return _has_templates(path) or _is_test(path)


def read(path: Path, options: ReadOptions) -> Rows:
    """The clips of one list, or of a folder's lists with their splits.

    Raises:
        ManifestError: an entry has no usable id or template, or a list is the test set's, whose
            templates are not in it.
    """
    if not os.path.isdir(path):
        if _is_test(path):
            raise ManifestError(
                f"{path.name} has no templates: it is the list of the test set, without labels. "
                "Give the list for train or validation, or the folder of all lists."
            )
        return rows_of(_clips(path, None, options), options)
    found: list[Found] = []
    lists = _lists(path)
    for split in SPLITS:
        if split in lists:
            found += _clips(only_one(lists[split], split), split, options)
    notes = [
        f"{file.name} left out: it has no templates." for file in files_in(path) if _is_test(file)
    ]
    return rows_of(found, options, notes + _strangers(path / "labels.json", found))


def _clips(path: Path, split: str | None, options: ReadOptions) -> list[Found]:
    entries = _from_csv(path) if path.suffix.lower() == ".csv" else _from_json(path)
    finder = Finder.beside(path, options, FOLDERS)
    found = []
    for where, number, template in entries:
        label = class_name(template.replace("[", "").replace("]", ""), where)
        video = finder.find(f"{number}.webm", f"{number}.mp4", number, split=split)
        fps = None
        if os.path.isdir(video):
            fps = given_fps(options, f"the clips of {path.name} are folders of frame pictures")
        found.append(Found(video, label, split, fps=fps))
    return found


def _from_json(path: Path) -> list[tuple[str, str, str]]:
    """Where it stands, id and template of each entry."""
    entries: list[tuple[str, str, str]] = []
    wrong: list[str] = []
    for row, entry in enumerate(load_entries(path), start=1):
        number, template = entry.get("id"), entry.get("template")
        text = str(number) if type(number) in (int, str) else ""
        if not _ID.fullmatch(text):
            wrong.append(f"entry {row} has the id {shown(number)}")
        elif not isinstance(template, str):
            wrong.append(f"entry {row} has the template {shown(template)}")
        else:
            entries.append((f"{path.name}, entry {row}", text, template))
    refuse(path, "every entry must have an id and a template", wrong)
    return entries


def _from_csv(path: Path) -> list[tuple[str, str, str]]:
    entries: list[tuple[str, str, str]] = []
    wrong: list[str] = []
    for row, line in enumerate(read_text(path).split("\n"), start=1):
        match = _CSV_LINE.fullmatch(line.strip())
        if match:
            entries.append((f"{path.name}, row {row}", match[1], match[2]))
        elif line.strip():
            wrong.append(f"row {row} has {shown(line.strip())}")
    refuse(path, "every row must be like 100218;Something falling like a feather", wrong)
    return entries


def _strangers(labels: Path, found: Sequence[Found]) -> list[str]:
    """A note on classes that `labels.json` does not have."""
    if not os.path.isfile(labels):
        return []
    allowed = load_json(labels)
    names = set(allowed) if isinstance(allowed, dict) else set()
    others = sorted({row.label for row in found} - {str(name).strip() for name in names})
    if not others:
        return []
    return [f"classes that are not in labels.json: {listed(quoted(others))}."]


def _has_templates(path: Path) -> bool:
    if path.suffix.lower() == ".csv":
        return _CSV_LINE.fullmatch(first_line(path)) is not None
    entry = first_entry(path)
    return "id" in entry and isinstance(entry.get("template"), str)


def _is_test(path: Path) -> bool:
    return first_entry(path).keys() == {"id"}


def _lists(folder: Path) -> dict[str, list[Path]]:
    lists: dict[str, list[Path]] = {}
    for file in files_in(folder):
        split = split_of(file)
        if split is not None and _has_templates(file):
            lists.setdefault(split, []).append(file)
    return lists
