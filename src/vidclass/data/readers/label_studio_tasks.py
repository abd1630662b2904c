"""The tasks of a Label Studio export, whichever of its two JSON forms it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.data.readers.strict import load_entries, refuse, shown

Value = Mapping[str, object]

# What JSON-MIN adds to the data of a task and to its results.
_EXTRAS = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
)
_UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(.+)")
_LOCAL_FILE = re.compile(r"(?:.*&)?d=([^&]*).*", re.DOTALL)


class Annotation(NamedTuple):
    """What one annotator submitted; `stamp` sorts by time, `truth` marks the ground truth."""

    values: list[Value]
    stamp: str
    truth: bool = False


@dataclass(frozen=True)
class Task:
    """One video; `names` are what its file may be called, the likeliest first."""

    where: str
    reference: str
    names: tuple[str, ...]
    annotations: list[Annotation] = field(default_factory=list)


def is_export(entry: Mapping[str, object]) -> bool:
    """Whether the first entry of a JSON list is a task of Label Studio."""
    if isinstance(entry.get("data"), dict) and isinstance(entry.get("annotations"), list):
        return True
    timelines = [value for value in entry.values() if isinstance(value, list) and value]
    return "annotation_id" in entry or any(
        isinstance(value[0], dict) and "timelinelabels" in value[0] for value in timelines
    )


def load_tasks(path: Path) -> tuple[list[Task], int]:
    """The tasks, and how many annotations were cancelled and are left out.

    JSON-MIN has an entry per annotation; entries with the same id are one task.

    Raises:
        ManifestError: an entry is no task, or does not name one video.
    """
    tasks: dict[object, Task] = {}
    wrong: list[str] = []
    cancelled = 0
    for number, entry in enumerate(load_entries(path), start=1):
        where = f"entry {number}"
        full = "annotations" in entry
        data = entry.get("data") if full else _data(entry)
        annotations = entry["annotations"] if full else [_flat(entry)]
        if not (isinstance(data, dict) and isinstance(annotations, list)):
            wrong.append(f"{where} has no data or annotations")
            continue
        reference = _reference(data)
        names = () if reference is None else video_names(reference)
        if reference is None or not names:
            wrong.append(f"{where} does not name one video: {shown(data)}")
            continue
        same = entry.get("id")
        key = same if not full and type(same) in (int, str) else where
        task = tasks.setdefault(key, Task(where, reference, names))
        for annotation in annotations:
            if isinstance(annotation, dict) and annotation.get("was_cancelled") is True:
                cancelled += 1
            elif isinstance(annotation, dict) and isinstance(annotation.get("result"), list):
                task.annotations.append(_annotation(annotation))
            else:
                wrong.append(f"{where} has the annotation {shown(annotation)}")
    refuse(path, "an entry must be a task with a video and its annotations", wrong)
    return list(tasks.values()), cancelled


def video_names(reference: str) -> tuple[str, ...]:
    """What the file of a task may be called.

    >>> video_names("/data/upload/1/abcd1234-clip.mp4")
    ('abcd1234-clip.mp4', 'clip.mp4')
    >>> video_names("/data/local-files/?d=day%201/clip.mp4")
    ('day 1/clip.mp4', 'clip.mp4')
    """
    reference = reference.strip().replace("\\", "/")
    try:
        parts = urlsplit(reference)
    except ValueError:
        return ()
    local = _LOCAL_FILE.fullmatch(parts.query)
    if parts.path.rstrip("/").endswith("/data/local-files") and local is not None:
        name = unquote(local[1])
    elif parts.scheme and parts.netloc:
        name = unquote(parts.path).lstrip("/")
    else:
        name = reference
    base = PurePosixPath(name).name
    uploaded = "data/upload/" in name or name.startswith("upload/")
    prefixed = _UPLOAD_PREFIX.fullmatch(base)
    names = [base if uploaded else name, base, unquote(base), prefixed[1] if prefixed else ""]
    return tuple(dict.fromkeys(name for name in names if name.strip("/. ")))


def _annotation(annotation: Mapping[str, object]) -> Annotation:
    results = annotation["result"]
    values = [
        result["value"]
        for result in (results if isinstance(results, list) else [])
        if isinstance(result, dict) and isinstance(result.get("value"), dict)
    ]
    stamp = str(annotation.get("updated_at") or annotation.get("created_at") or "")
    return Annotation(values, stamp, annotation.get("ground_truth") is True)


def _data(entry: Mapping[str, object]) -> dict[str, object]:
    """The texts of a JSON-MIN entry: those of the task, and single choices."""
    texts = {name: value for name, value in entry.items() if isinstance(value, str)}
    return {name: value for name, value in texts.items() if name not in _EXTRAS}


def _flat(entry: Mapping[str, object]) -> dict[str, object]:
    """A JSON-MIN entry as an annotation of the full form.

    A single choice is plain text there, as the task's own data are: it is known by its name.
    """
    values: list[object] = []
    for name, value in entry.items():
        if isinstance(value, list):
            values += value
        elif isinstance(value, dict):
            values.append(value)
        elif isinstance(value, str) and name.lower() in ("choice", "choices", "label", "class"):
            values.append({"choices": [value]})
    return {**entry, "result": [{"value": value} for value in values]}


def _reference(data: Mapping[str, object]) -> str | None:
    """The one text in the data that names a video; of several that under `video`."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    videos = {name: value for name, value in texts.items() if _is_video(value)}
    if len(set(videos.values())) == 1:
        return next(iter(videos.values()))
    return (videos or texts).get("video")


def _is_video(reference: str) -> bool:
    names = video_names(reference)
    return bool(names) and PurePosixPath(names[0]).suffix.lower() in VIDEO_EXTENSIONS
