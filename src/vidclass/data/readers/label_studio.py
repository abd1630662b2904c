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
`framesCount` and `duration`, where some result of the task has them, else from `--fps`: it must be
the `frameRate` of the `Video` tag, by which Label Studio counted, 24 where the tag has none.
Labels of audio regions, for a video that is in step with its sound, are in seconds already.
Choices are labels of the whole video; several of them, of several questions too, are several
labels.  JSON-MIN does not tell a single choice from the task's own data, so that it is taken only
under the names `choice`, `choices`, `label` and `class`: the full JSON is the better export.

Of several annotations of one task the one marked as ground truth counts, else the one submitted
last: it is usually a correction, and refusing would make every reviewed project unreadable.  Notes
say how many tasks have several annotations and in which videos these disagree.  Predictions are
not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidclass._core.text import counted, listed, quoted
from vidclass.data.clip import join_labels
from vidclass.data.readers.finding import Finder, Found, class_name, given_fps, rows_of
from vidclass.data.readers.label_studio_tasks import (
    Annotation,
    Task,
    Value,
    is_export,
    load_tasks,
)
from vidclass.data.readers.options import ReadOptions
from vidclass.data.readers.strict import first_entry, number_in, refuse, shown
from vidclass.data.rows import Rows
from vidclass.errors import ManifestError

Clip = tuple[str, float | None, float | None]  # label, start_s, stop_s


def accepts(path: Path) -> bool:
    """A JSON list whose first entry is a task with annotations."""
    return is_export(first_entry(path))


def read(path: Path, options: ReadOptions) -> Rows:
    """The clips of all tasks.

    Raises:
        ManifestError: an entry is no task, a range is none, frames have no rate, or no task has a
            label.
    """
    tasks, cancelled = load_tasks(path)
    finder = Finder.beside(path, options)
    state = _State(path, options)
    found: list[Found] = []
    places: dict[str, set[str]] = {}
    for task in tasks:
        clips = state.clips_of(task)
        labels = {label for label, _, _ in clips}
        video = finder.find(*task.names, label=labels.pop() if len(labels) == 1 else "")
        found += [Found(video, label, None, start_s, stop_s) for label, start_s, stop_s in clips]
        places.setdefault(video, set()).add(task.reference)
    refuse(path, "a range must have a start before its end, and labels must be texts", state.wrong)
    if not found:
        raise ManifestError(
            f"{path.name} has no labels of videos: {counted(len(tasks), 'task')}, "
            f"{counted(cancelled, 'cancelled annotation')}. If this is JSON-MIN, export it as JSON."
        )
    notes = [f"{counted(cancelled, 'cancelled annotation')} left out."] if cancelled else []
    shared = [video for video, references in places.items() if len(references) > 1]
    if shared:
        notes.append(f"different references are the same file: {listed(quoted(shared))}.")
    return rows_of(found, options, notes + state.notes())


@dataclass
class _State:
    """What is noticed on the way through the tasks."""

    path: Path
    options: ReadOptions
    wrong: list[str] = field(default_factory=list)
    unlabelled: int = 0
    others: int = 0
    several: int = 0
    torn: list[str] = field(default_factory=list)

    def clips_of(self, task: Task) -> list[Clip]:
        """The clips of the annotation that counts; none if nobody labelled the task."""
        if len(task.annotations) > 1:
            self.several += 1
            views = [self._clips(task, each, []) for each in task.annotations]
            if any(set(view) != set(views[0]) for view in views):
                self.torn.append(task.names[-1])
        wrong_before = len(self.wrong)
        chosen = max(
            # Of equal stamps the later entry of the list.
            enumerate(task.annotations),
            key=lambda pair: (pair[1].truth, pair[1].stamp, pair[0]),
            default=None,
        )
        clips = [] if chosen is None else self._clips(task, chosen[1], self.wrong)
        if chosen is not None:
            self.others += sum(not _is_label(value) for value in chosen[1].values)
        if not clips and len(self.wrong) == wrong_before:
            self.unlabelled += 1
        return clips

    def _clips(self, task: Task, annotation: Annotation, wrong: list[str]) -> list[Clip]:
        where = f"{self.path.name}, {task.where}"
        choices: list[str] = []
        clips: list[Clip] = []
        for value in filter(_is_label, annotation.values):
            kind = next(kind for kind in _KINDS if kind in value)
            texts = value[kind]
            if not (isinstance(texts, list) and texts and all(type(t) is str for t in texts)):
                wrong.append(f"{task.where} has the labels {shown(texts)}")
                continue
            names = [class_name(text, where) for text in texts]
            if kind == "choices":
                choices += names
                continue
            for span in self._spans(task, value, kind, wrong):
                clips.append((join_labels(names), *span))
        return [(join_labels(choices), None, None), *clips] if choices else clips

    def _spans(
        self, task: Task, value: Value, kind: str, wrong: list[str]
    ) -> list[tuple[float, float]]:
        ranges = value.get("ranges") if kind == "timelinelabels" else [value]
        spans: list[tuple[float, float]] = []
        for each in ranges if isinstance(ranges, list) else [ranges]:
            start = number_in(each.get("start")) if isinstance(each, dict) else None
            end = number_in(each.get("end")) if isinstance(each, dict) else None
            if start is None or end is None or not 0 <= start <= end or not end:
                wrong.append(f"{task.where} has {shown(each)}")
            elif kind == "timelinelabels":
                fps = self._fps(task)
                # Other programs write 0 for the first frame.
                spans.append((max(start - 1, 0.0) / fps, end / fps))
            elif start < end:
                spans.append((start, end))
            else:
                wrong.append(f"{task.where} has {shown(each)}")
        return spans

    def _fps(self, task: Task) -> float:
        for annotation in task.annotations:
            for value in annotation.values:
                frames, seconds = (
                    number_in(value.get("framesCount")),
                    number_in(value.get("duration")),
                )
                if frames and seconds and frames >= 1 and seconds >= 0.001:
                    return frames / seconds
        return given_fps(
            self.options,
            f"{self.path.name}, {task.where} counts frames and does not say how fast they follow "
            "(the frameRate of the Video tag, 24 if it has none)",
        )

    def notes(self) -> list[str]:
        """Sentences about what was not taken."""
        notes = []
        if self.unlabelled:
            notes.append(f"{counted(self.unlabelled, 'task')} without labels left out.")
        if self.others:
            notes.append(f"{counted(self.others, 'result')} of other kinds ignored.")
        if self.several:
            notes.append(
                f"{counted(self.several, 'task')} with several annotations: the ground truth or "
                "the last one counts."
            )
        if self.torn:
            notes.append(f"annotations disagree on {listed(quoted(self.torn))}.")
        return notes


_KINDS: Sequence[str] = ("timelinelabels", "choices", "labels")


def _is_label(value: Value) -> bool:
    """Whether a result labels the video or a span of it; boxes have labels, but no times."""
    timed = "start" in value and "end" in value and "text" not in value
    return "timelinelabels" in value or "choices" in value or ("labels" in value and timed)
