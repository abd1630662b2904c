"""Label Studio's exports "JSON" and "JSON-MIN": spans on the timeline and choices for videos.

```
[{"id": 1, "data": {"video": "/data/upload/1/abcd1234-clip.mp4"},
  "annotations": [{"was_cancelled": false, "updated_at": "2024-05-01T10:00:00Z", "result": [
    {"type": "timelinelabels",
     "value": {"ranges": [{"start": 3, "end": 5}], "timelinelabels": ["Moving"]}},
    {"type": "choices", "value": {"choices": ["Outdoor"]}}]}]}]
[{"id": 1, "video": "/data/upload/1/abcd1234-clip.mp4", "annotation_id": 7,
  "videoLabels": [{"ranges": [{"start": 3, "end": 5}], "timelinelabels": ["Moving"]}]}]
```

Documented under "Label Studio Task Format" and under the tags "TimelineLabels" and "Choices".

Ranges are frames: the first frame is 1, and the end is part of the range.  Seconds follow from
`framesCount` and `duration`, where some result of the task has them, else from `fps`: it must be
the `frameRate` of the `Video` tag, by which Label Studio counted, 24 where the tag has none.
Labels of audio regions, for a video that is in step with its sound, are in seconds already.
Choices are labels of the whole video; several of them, of several questions too, are several
labels.  JSON-MIN does not tell a single choice from the task's own data, so that it is taken only
under the names `choice`, `choices`, `label` and `class`: the full JSON is the better export.

Of several annotations of one task the one marked as ground truth counts, else the one submitted
last: it is usually a correction, and an error would make every reviewed project unreadable.  Notes
say how many tasks have several annotations and in which videos these disagree.  Predictions are
not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from vidclass._core.text import counted, listed, quoted
from vidclass.data.clip import join_labels
from vidclass.data.media_files import VIDEO_EXTENSIONS
from vidclass.data.readers.locate import (
    ClipRow,
    VideoLocator,
    class_name,
    required_fps,
    rows_from_clips,
)
from vidclass.data.readers.reader import TABLE_OPTIONS, Reader, ReadOptions
from vidclass.data.readers.text import (
    as_number,
    first_entry,
    load_entries,
    require_valid,
    short_repr,
)
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

Value = Mapping[str, object]
LabelledSpan = tuple[str, float | None, float | None]  # label, start_s, stop_s

# Keys of a value that hold labels.
_LABEL_KEYS: Sequence[str] = ("timelinelabels", "choices", "labels")
# What JSON-MIN adds to the data of a task and to its results.
_EXTRA_KEYS = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
)
_UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(.+)")
_LOCAL_FILE = re.compile(r"(?:.*&)?d=([^&]*).*", re.DOTALL)


class Annotation(NamedTuple):
    """The results of one annotator; `timestamp` sorts by time."""

    values: list[Value]
    timestamp: str
    is_ground_truth: bool = False


@dataclass(frozen=True)
class Task:
    """One video; `names` are possible names of its file, the likeliest first."""

    where: str
    reference: str
    names: tuple[str, ...]
    annotations: list[Annotation] = field(default_factory=list)


def accepts(path: Path) -> bool:
    """Return whether this is a JSON list whose first entry is a task with annotations."""
    entry = first_entry(path)
    if isinstance(entry.get("data"), dict) and isinstance(entry.get("annotations"), list):
        return True
    lists = [value for value in entry.values() if isinstance(value, list) and value]
    return "annotation_id" in entry or any(
        isinstance(value[0], dict) and "timelinelabels" in value[0] for value in lists
    )


def read(path: Path, options: ReadOptions) -> Rows:
    """Read the clips of all tasks.

    Raises:
        ManifestError: an entry is no task, a range is not valid, frames have no rate, or no task
            has a label.
    """
    tasks, cancelled = load_tasks(path)
    locator = VideoLocator.beside(path, options)
    converter = _Converter(path, options)
    clips: list[ClipRow] = []
    references_by_video: dict[str, set[str]] = {}
    for task in tasks:
        spans = converter.spans_of(task)
        labels = {label for label, _, _ in spans}
        video = locator.locate(*task.names, label=labels.pop() if len(labels) == 1 else "")
        clips += [ClipRow(video, label, None, start_s, stop_s) for label, start_s, stop_s in spans]
        references_by_video.setdefault(video, set()).add(task.reference)
    rule = "a range must have a start before its end, and labels must be texts"
    require_valid(path, rule, converter.invalid)
    if not clips:
        raise ManifestError(
            f"{path.name} has no labels of videos: {counted(len(tasks), 'task')}, "
            f"{counted(cancelled, 'cancelled annotation')}. If this is JSON-MIN, export it as JSON."
        )
    notes = [f"{counted(cancelled, 'cancelled annotation')} left out."] if cancelled else []
    shared = [video for video, references in references_by_video.items() if len(references) > 1]
    if shared:
        notes.append(f"different references are the same file: {listed(quoted(shared))}.")
    return rows_from_clips(clips, notes + converter.notes())


@dataclass
class _Converter:
    """Converts annotations to labelled spans, and counts what it leaves out."""

    path: Path
    options: ReadOptions
    invalid: list[str] = field(default_factory=list)
    unlabelled_tasks: int = 0
    other_results: int = 0
    multiple_annotations: int = 0
    disagreements: list[str] = field(default_factory=list)

    def spans_of(self, task: Task) -> list[LabelledSpan]:
        """Return the spans of the annotation that counts; none if nobody labelled the task."""
        if len(task.annotations) > 1:
            self.multiple_annotations += 1
            alternatives = [set(self._convert(task, each, [])) for each in task.annotations]
            if any(spans != alternatives[0] for spans in alternatives):
                self.disagreements.append(task.names[-1])
        chosen = max(
            # Of equal timestamps the later entry of the list.
            enumerate(task.annotations),
            key=lambda pair: (pair[1].is_ground_truth, pair[1].timestamp, pair[0]),
            default=None,
        )
        if chosen is None:
            self.unlabelled_tasks += 1
            return []
        invalid_before = len(self.invalid)
        spans = self._convert(task, chosen[1], self.invalid)
        self.other_results += sum(not _has_labels(value) for value in chosen[1].values)
        if not spans and len(self.invalid) == invalid_before:
            self.unlabelled_tasks += 1
        return spans

    def _convert(
        self, task: Task, annotation: Annotation, invalid: list[str]
    ) -> list[LabelledSpan]:
        where = f"{self.path.name}, {task.where}"
        choices: list[str] = []
        spans: list[LabelledSpan] = []
        for value in filter(_has_labels, annotation.values):
            key = next(key for key in _LABEL_KEYS if key in value)
            texts = value[key]
            if not (isinstance(texts, list) and texts and all(type(t) is str for t in texts)):
                invalid.append(f"{task.where} has the labels {short_repr(texts)}")
                continue
            names = [class_name(text, where) for text in texts]
            if key == "choices":
                choices += names
                continue
            for times in self._times(task, value, key, invalid):
                spans.append((join_labels(names), *times))
        return [(join_labels(choices), None, None), *spans] if choices else spans

    def _times(
        self, task: Task, value: Value, key: str, invalid: list[str]
    ) -> list[tuple[float, float]]:
        """Return start and end, in seconds, of each range of a result."""
        ranges = value.get("ranges") if key == "timelinelabels" else [value]
        times: list[tuple[float, float]] = []
        for each in ranges if isinstance(ranges, list) else [ranges]:
            start = as_number(each.get("start")) if isinstance(each, dict) else None
            end = as_number(each.get("end")) if isinstance(each, dict) else None
            if start is None or end is None or not 0 <= start <= end or not end:
                invalid.append(f"{task.where} has {short_repr(each)}")
            elif key == "timelinelabels":
                fps = self._fps(task)
                # Other programs write 0 for the first frame.
                times.append((max(start - 1, 0.0) / fps, end / fps))
            elif start < end:
                times.append((start, end))
            else:
                invalid.append(f"{task.where} has {short_repr(each)}")
        return times

    def _fps(self, task: Task) -> float:
        for value in (value for annotation in task.annotations for value in annotation.values):
            frames, seconds = as_number(value.get("framesCount")), as_number(value.get("duration"))
            if frames and seconds and frames >= 1 and seconds >= 0.001:
                return frames / seconds
        return required_fps(
            self.options,
            f"{self.path.name}, {task.where} counts frames and does not say how fast they follow "
            "(the frameRate of the Video tag, 24 if it has none)",
        )

    def notes(self) -> list[str]:
        """Return sentences about what was left out."""
        notes = []
        if self.unlabelled_tasks:
            notes.append(f"{counted(self.unlabelled_tasks, 'task')} without labels left out.")
        if self.other_results:
            notes.append(f"{counted(self.other_results, 'result')} of other kinds ignored.")
        if self.multiple_annotations:
            notes.append(
                f"{counted(self.multiple_annotations, 'task')} with several annotations: the "
                "ground truth or the last one counts."
            )
        if self.disagreements:
            notes.append(f"annotations disagree on {listed(quoted(self.disagreements))}.")
        return notes


def _has_labels(value: Value) -> bool:
    """Return whether a result labels the video or a span of it; boxes have labels, but no times."""
    timed = "start" in value and "end" in value and "text" not in value
    return "timelinelabels" in value or "choices" in value or ("labels" in value and timed)


def load_tasks(path: Path) -> tuple[list[Task], int]:
    """Read the tasks of an export in either form.

    JSON-MIN has an entry per annotation; entries with the same id are one task.

    Returns:
        The tasks, and the number of cancelled annotations, which are left out.

    Raises:
        ManifestError: an entry is no task, or does not name one video.
    """
    tasks: dict[object, Task] = {}
    invalid: list[str] = []
    cancelled = 0
    for number, entry in enumerate(load_entries(path), start=1):
        where = f"entry {number}"
        is_full = "annotations" in entry
        data = entry.get("data") if is_full else _task_data(entry)
        annotations = entry["annotations"] if is_full else [_full_annotation(entry)]
        if not (isinstance(data, dict) and isinstance(annotations, list)):
            invalid.append(f"{where} has no data or annotations")
            continue
        reference = _video_reference(data)
        names = () if reference is None else video_names(reference)
        if reference is None or not names:
            invalid.append(f"{where} does not name one video: {short_repr(data)}")
            continue
        task_id = entry.get("id")
        key = task_id if not is_full and type(task_id) in (int, str) else where
        task = tasks.setdefault(key, Task(where, reference, names))
        for annotation in annotations:
            if isinstance(annotation, dict) and annotation.get("was_cancelled") is True:
                cancelled += 1
            elif isinstance(annotation, dict) and isinstance(annotation.get("result"), list):
                task.annotations.append(_parse_annotation(annotation))
            else:
                invalid.append(f"{where} has the annotation {short_repr(annotation)}")
    require_valid(path, "an entry must be a task with a video and its annotations", invalid)
    return list(tasks.values()), cancelled


def video_names(reference: str) -> tuple[str, ...]:
    """Return possible names of the file of a task, the likeliest first.

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


def _parse_annotation(annotation: Mapping[str, object]) -> Annotation:
    results = annotation["result"]
    values = [
        result["value"]
        for result in (results if isinstance(results, list) else [])
        if isinstance(result, dict) and isinstance(result.get("value"), dict)
    ]
    timestamp = str(annotation.get("updated_at") or annotation.get("created_at") or "")
    return Annotation(values, timestamp, annotation.get("ground_truth") is True)


def _task_data(entry: Mapping[str, object]) -> dict[str, object]:
    """Return the texts of a JSON-MIN entry: those of the task, and single choices."""
    texts = {name: value for name, value in entry.items() if isinstance(value, str)}
    return {name: value for name, value in texts.items() if name not in _EXTRA_KEYS}


def _full_annotation(entry: Mapping[str, object]) -> dict[str, object]:
    """Convert a JSON-MIN entry to an annotation of the full form.

    A single choice is plain text there, as the task's own data are: its name tells it apart.
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


def _video_reference(data: Mapping[str, object]) -> str | None:
    """Return the one text in the data that names a video; of several the one under `video`."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    videos = {name: value for name, value in texts.items() if _is_video(value)}
    if len(set(videos.values())) == 1:
        return next(iter(videos.values()))
    return (videos or texts).get("video")


def _is_video(reference: str) -> bool:
    names = video_names(reference)
    return bool(names) and PurePosixPath(names[0]).suffix.lower() in VIDEO_EXTENSIONS


READER = Reader("label_studio", "a JSON export of Label Studio", accepts, read, TABLE_OPTIONS)
