"""Something-Something, versions 1 and 2: a list of numbered clips with their templates.

```
[{"id": "78687", "label": "holding potato next to vicks vaporub bottle",
  "template": "Holding [something] next to [something]", "placeholders": ["potato", ...]}]
```

The class is the template without its brackets; the clip is `ID.webm` or `ID.mp4`, or, in version 1,
an image sequence in a folder ID.  The lists of version 1, and the answers to the test set of
version 2, are CSV lines `ID;class` without a header.  A folder with lists for train and validation
gives splits, and its `labels.json` the allowed classes.  The format is described in the
instructions that come with the data set ("20BN-SOMETHING-SOMETHING: Download Instructions").
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from vidclass._core.text import listed, quoted
from vidclass.data.readers.locate import (
    ClipRow,
    VideoLocator,
    class_name,
    files_by_split,
    list_files,
    required_fps,
    rows_from_clips,
    single_file,
)
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.text import (
    first_entry,
    first_line,
    load_entries,
    load_json,
    read_text,
    require_valid,
    short_repr,
)
from vidclass.data.rows import SPLITS, Rows
from vidclass.errors import ManifestError

FOLDERS = ("20bn-something-something-v2", "20bn-something-something-v1", "videos")

_CSV_LINE = re.compile(r"([0-9]{1,12});(.+)")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def accepts(path: Path) -> bool:
    """Return whether this is a list of clips, or a folder with a list for train."""
    if os.path.isdir(path):
        return "train" in files_by_split(path, _has_templates)
    return _has_templates(path) or _is_test_list(path)


def read(path: Path, options: ReadOptions) -> Rows:
    """Read the clips of one list, or of a folder's lists with their splits.

    Raises:
        ManifestError: an entry has no valid id or template, or the list is that of the test set,
            which has no templates.
    """
    if not os.path.isdir(path):
        if _is_test_list(path):
            raise ManifestError(
                f"{path.name} has no templates: it is the list of the test set, without labels. "
                "Give the list for train or validation, or the folder of all lists."
            )
        return rows_from_clips(_read_list(path, None, options))
    clips: list[ClipRow] = []
    lists = files_by_split(path, _has_templates)
    for split in SPLITS:
        if split in lists:
            clips += _read_list(single_file(lists[split], split), split, options)
    notes = [
        f"{file.name} left out: it has no templates."
        for file in list_files(path)
        if _is_test_list(file)
    ]
    return rows_from_clips(clips, notes + _unknown_class_notes(path / "labels.json", clips))


def _read_list(path: Path, split: str | None, options: ReadOptions) -> list[ClipRow]:
    entries = _read_csv(path) if path.suffix.lower() == ".csv" else _read_json(path)
    locator = VideoLocator.beside(path, options, FOLDERS)
    clips = []
    for where, clip_id, template in entries:
        label = class_name(template.replace("[", "").replace("]", ""), where)
        video = locator.locate(f"{clip_id}.webm", f"{clip_id}.mp4", clip_id, split=split)
        fps = None
        if os.path.isdir(video):
            fps = required_fps(options, f"the clips of {path.name} are image sequences")
        clips.append(ClipRow(video, label, split, fps=fps))
    return clips


def _read_json(path: Path) -> list[tuple[str, str, str]]:
    """Return location, id and template of each entry."""
    entries: list[tuple[str, str, str]] = []
    invalid: list[str] = []
    for number, entry in enumerate(load_entries(path), start=1):
        clip_id, template = entry.get("id"), entry.get("template")
        text = str(clip_id) if type(clip_id) in (int, str) else ""
        if not _ID.fullmatch(text):
            invalid.append(f"entry {number} has the id {short_repr(clip_id)}")
        elif not isinstance(template, str):
            invalid.append(f"entry {number} has the template {short_repr(template)}")
        else:
            entries.append((f"{path.name}, entry {number}", text, template))
    require_valid(path, "every entry must have an id and a template", invalid)
    return entries


def _read_csv(path: Path) -> list[tuple[str, str, str]]:
    """Return location, id and template of each line."""
    entries: list[tuple[str, str, str]] = []
    invalid: list[str] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        match = _CSV_LINE.fullmatch(line.strip())
        if match:
            entries.append((f"{path.name}, row {number}", match[1], match[2]))
        elif line.strip():
            invalid.append(f"row {number} has {short_repr(line.strip())}")
    require_valid(path, "every row must be like 100218;Something falling like a feather", invalid)
    return entries


def _unknown_class_notes(path: Path, clips: Sequence[ClipRow]) -> list[str]:
    """Return a note on classes that `labels.json` does not have."""
    if not os.path.isfile(path):
        return []
    allowed = load_json(path)
    names = set(allowed) if isinstance(allowed, dict) else set()
    unknown = sorted({clip.label for clip in clips} - {str(name).strip() for name in names})
    if not unknown:
        return []
    return [f"classes that are not in labels.json: {listed(quoted(unknown))}."]


def _has_templates(path: Path) -> bool:
    if path.suffix.lower() == ".csv":
        return _CSV_LINE.fullmatch(first_line(path)) is not None
    entry = first_entry(path)
    return "id" in entry and isinstance(entry.get("template"), str)


def _is_test_list(path: Path) -> bool:
    return first_entry(path).keys() == {"id"}


READER = Reader(
    "something_something",
    "lists of Something-Something (id, template)",
    accepts,
    read,
    TABLE_OPTIONS,
)
