"""Label Studio's exports become clips, or are refused with the entries named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reader_rows import rows, touch, write
from vidclass.data.readers import label_studio
from vidclass.data.readers.label_studio import video_names
from vidclass.data.readers.reader import ReadOptions
from vidclass.data.rows import Rows
from vidclass.data.sources import read_source
from vidclass.errors import ManifestError

AT_10 = ReadOptions(fps=10)
SPAN = ("start_s", "stop_s")
UPLOAD = "/data/upload/1/abcd1234-a.mp4"


def region(start: object, end: object, *labels: object) -> dict[str, object]:
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": list(labels)}
    return {"type": "timelinelabels", "from_name": "t", "to_name": "video", "value": value}


def choices(*labels: object) -> dict[str, object]:
    return {"type": "choices", "value": {"choices": list(labels)}}


def annotation(*results: object, **more: object) -> dict[str, object]:
    return {"id": 1, "was_cancelled": False, "result": list(results), **more}


def task(*annotations: object, video: object = UPLOAD) -> dict[str, object]:
    return {"id": 1, "data": {"video": video, "title": "x"}, "annotations": list(annotations)}


def read(folder: Path, *tasks: object, options: ReadOptions = AT_10) -> Rows:
    return label_studio.read(write(folder, "x.json", list(tasks)), options)


def spans(folder: Path, *results: object) -> list[tuple[object, ...]]:
    return rows(read(folder, task(annotation(*results), video="a.mp4")), folder, *SPAN)


def test_frames_count_from_1_and_the_end_belongs_to_the_range(tmp_path: Path) -> None:
    assert spans(tmp_path, region(1, 10, "Run"), region(11, 11, "Wave", "Jump")) == [
        ("a.mp4", "Run", 0.0, 1.0),
        ("a.mp4", "Jump|Wave", 1.0, 1.1),
    ]
    assert spans(tmp_path, region(0, 10, "Run")) == [("a.mp4", "Run", 0.0, 1.0)]


def test_overlapping_regions_stay_apart(tmp_path: Path) -> None:
    clips = spans(tmp_path, region(1, 10, "Run"), region(5, 15, "Wave"))
    assert [row[1:] for row in clips] == [("Run", 0.0, 1.0), ("Wave", 0.4, 1.5)]


def test_the_same_range_is_joined_on_demand(tmp_path: Path) -> None:
    entry = task(annotation(region(1, 10, "b"), region(1, 10, "a")))
    assert [row[1] for row in rows(read(tmp_path, entry), tmp_path)] == ["b", "a"]
    merged = read_source(tmp_path / "x.json", fps=10, multi_label=True)
    assert [row[1] for row in rows(merged, tmp_path)] == ["a|b"]


def test_choices_are_labels_of_the_whole_video(tmp_path: Path) -> None:
    assert spans(tmp_path, choices("Run")) == [("a.mp4", "Run", 0.0, None)]
    assert spans(tmp_path, choices("b", "a"), choices("c"), region(1, 10, "d")) == [
        ("a.mp4", "a|b|c", 0.0, None),
        ("a.mp4", "d", 0.0, 1.0),
    ]


def test_audio_regions_are_in_seconds(tmp_path: Path) -> None:
    value = {"start": 1.5, "end": 2.25, "channel": 0, "labels": ["Trick"]}
    path = [task(annotation({"type": "labels", "value": value}))]
    clips = read(tmp_path, *path, options=ReadOptions())
    assert rows(clips, tmp_path, *SPAN) == [("abcd1234-a.mp4", "Trick", 1.5, 2.25)]
    assert label_studio.accepts(tmp_path / "x.json")


def test_the_rate_of_the_task_comes_before_the_option(tmp_path: Path) -> None:
    box = {"framesCount": 100, "duration": 4.0, "sequence": [], "labels": ["Car"]}
    entry = task(annotation(region(1, 25, "Run"), {"type": "videorectangle", "value": box}))
    clips = read(tmp_path, entry)
    assert rows(clips, tmp_path, *SPAN)[0][1:] == ("Run", 0.0, 1.0)
    assert clips.notes == ("1 result of other kinds ignored.",)


def test_frames_without_a_rate_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"x\.json, entry 1 counts frames .* 24 if .* fps=25"):
        read(tmp_path, task(annotation(region(1, 25, "Run"))), options=ReadOptions())


MIN = [
    {"id": 1, "video": UPLOAD, "annotation_id": 5, "choice": "Run", "annotator": 1},
    {
        "id": 2,
        "video": "b.mp4",
        "annotation_id": 6,
        "updated_at": "2024-05-01T10:00:00Z",
        "videoLabels": [{"ranges": [{"start": 11, "end": 20}], "timelinelabels": ["Wave"]}],
    },
    {"id": 3, "video": "c.mp4", "annotation_id": 7, "q": {"choices": ["b", "a"]}},
]


def test_json_min(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    path = write(tmp_path, "x.json", MIN)
    assert label_studio.accepts(path)
    assert rows(label_studio.read(path, AT_10), tmp_path, *SPAN) == [
        ("a.mp4", "Run", 0.0, None),
        ("b.mp4", "Wave", 1.0, 2.0),
        ("c.mp4", "a|b", 0.0, None),
    ]


def test_entries_of_json_min_with_one_id_are_one_task(tmp_path: Path) -> None:
    first = {"id": 1, "video": "a.mp4", "annotation_id": 5, "choice": "Run", "updated_at": "2"}
    later = {**first, "choice": "Wave", "updated_at": "3"}
    clips = read(tmp_path, later, first)
    assert rows(clips, tmp_path) == [("a.mp4", "Wave")]
    assert "annotations disagree on 'a.mp4'." in clips.notes


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        (UPLOAD, ("abcd1234-a.mp4", "a.mp4")),
        ("http://localhost:8080" + UPLOAD, ("abcd1234-a.mp4", "a.mp4")),
        ("/data/local-files/?d=day%201/a.mp4", ("day 1/a.mp4", "a.mp4")),
        ("http://host/data/local-files/?x=1&d=day\\a.mp4&y=2", ("day/a.mp4", "a.mp4")),
        ("https://host/some/a%20b.mp4?token=1#x", ("some/a b.mp4", "a b.mp4")),
        ("s3://bucket/run/a.mp4", ("run/a.mp4", "a.mp4")),
        ("../a.mp4", ("../a.mp4", "a.mp4")),
        ("/abs/a%20b.mp4", ("/abs/a%20b.mp4", "a%20b.mp4", "a b.mp4")),
        ("deadbeef-.mp4", ("deadbeef-.mp4", ".mp4")),
        ("http://[", ()),
        ("..", ()),
        ("", ()),
    ],
)
def test_what_a_file_may_be_called(reference: str, names: tuple[str, ...]) -> None:
    assert video_names(reference) == names


@pytest.mark.parametrize("location", ["abcd1234-a.mp4", "a.mp4", "Run/a.mp4"])
def test_uploads_are_found_with_and_without_their_prefix(tmp_path: Path, location: str) -> None:
    touch(tmp_path, f"root/{location}")
    options = ReadOptions(root=tmp_path / "root")
    clips = read(tmp_path, task(annotation(choices("Run"))), options=options)
    assert rows(clips, tmp_path) == [(f"root/{location}", "Run")]


def test_two_uploads_that_are_one_file_are_noted(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    second = task(annotation(choices("Run")), video=UPLOAD.replace("abcd", "dcba"))
    notes = read(tmp_path, task(annotation(choices("Run"))), second).notes
    assert any(note.startswith("different references are the same file: '/") for note in notes)


def test_the_video_is_the_text_that_names_one(tmp_path: Path) -> None:
    entry = task(annotation(choices("Run")))
    for data in ({"title": "x", "clip": "b.mov"}, {"ref": "c.mp4", "video": "b.mov"}):
        assert rows(read(tmp_path, entry | {"data": data}), tmp_path) == [("b.mov", "Run")]


def test_cancelled_and_empty_tasks_are_counted(tmp_path: Path) -> None:
    cancelled = annotation(choices("Wave"), was_cancelled=True)
    good = task(annotation(choices("Run")), cancelled)
    clips = read(tmp_path, good, task(), task(annotation()), task(cancelled))
    assert rows(clips, tmp_path) == [("abcd1234-a.mp4", "Run")]
    assert clips.notes == (
        "2 cancelled annotations left out.",
        "3 tasks without labels left out.",
    )


def test_the_last_annotation_counts(tmp_path: Path) -> None:
    entry = task(
        annotation(choices("new"), updated_at="2024-05-02T10:00:00Z"),
        annotation(choices("old"), updated_at="2024-05-01T10:00:00Z"),
    )
    clips = read(tmp_path, entry)
    assert rows(clips, tmp_path) == [("abcd1234-a.mp4", "new")]
    assert clips.notes == (
        "1 task with several annotations: the ground truth or the last one counts.",
        "annotations disagree on 'a.mp4'.",
    )


def test_the_ground_truth_comes_first_and_agreement_is_no_note(tmp_path: Path) -> None:
    truth = annotation(choices("a"), updated_at="1", ground_truth=True)
    clips = read(tmp_path, task(truth, annotation(choices("b"), updated_at="2")))
    assert rows(clips, tmp_path) == [("abcd1234-a.mp4", "a")]
    assert len(read(tmp_path, task(truth, annotation(choices("a")))).notes) == 1


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (region(5, 3, "Run"), r"x\.json: a range must .*; entry 1 has {'end': 3, 'start': 5}"),
        (region(-1, 3, "Run"), r"entry 1 has {'end': 3, 'start': -1}"),
        (region(0, 0, "Run"), r"entry 1 has {'end': 0, 'start': 0}"),
        (region("1", 3, "Run"), r"entry 1 has {'end': 3, 'start': '1'}"),
        (region(1, True, "Run"), r"entry 1 has {'end': True, 'start': 1}"),
        (region(1, 3), r"entry 1 has the labels \[\]"),
        (region(1, 3, 7), r"entry 1 has the labels \[7\]"),
        (region(1, 3, ""), r"x\.json, entry 1: the name of a class is empty"),
        (choices("a|b"), r"x\.json, entry 1: the class 'a\|b' has a bar"),
        ({"value": {"timelinelabels": ["a"], "ranges": 3}}, r"entry 1 has 3"),
        ({"value": {"labels": ["a"], "start": 2, "end": 2}}, r"entry 1 has {'end': 2, 'labels'"),
    ],
)
def test_results_that_cannot_be_used_are_named(
    tmp_path: Path, result: object, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        spans(tmp_path, result)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"data": {}, "annotations": []}, r"entry 2 does not name one video: {}"),
        ({"data": {"a": "a.mp4", "b": "b.mp4"}, "annotations": []}, r"entry 2 does not name one"),
        ({"data": 3, "annotations": []}, r"entry 2 has no data or annotations"),
        ({"data": {"video": "a.mp4"}, "annotations": 3}, r"entry 2 has no data or annotations"),
        (task(3), r"entry 2 has the annotation 3"),
        (task({"result": 3}), r"entry 2 has the annotation {'result': 3}"),
    ],
)
def test_entries_that_are_no_tasks_are_named(tmp_path: Path, entry: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read(tmp_path, task(annotation(choices("Run"))), entry)


def test_an_export_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"x\.json has no labels of videos: 1 task, 0 canc"):
        read(tmp_path, task(annotation({"type": "relation"}, {"value": {"text": "x"}})))


@pytest.mark.parametrize(
    "content", [[{"id": 1}], [{"video": "a.mp4", "label": "x"}], {"annotations": []}, "x", [3]]
)
def test_other_files_are_not_accepted(tmp_path: Path, content: object) -> None:
    assert not label_studio.accepts(write(tmp_path, "x.json", content))
    assert not label_studio.accepts(tmp_path / "nowhere.json")
    assert not label_studio.accepts(tmp_path)


def test_an_export_is_recognised_by_its_first_task(tmp_path: Path) -> None:
    assert label_studio.accepts(write(tmp_path, "x.json", [task()]))


FULL = [
    task(annotation(region(1, 10, "Run"), choices("a", "b"), updated_at="2"), annotation()),
    task(annotation({"value": {"framesCount": 9, "duration": 3}}, region(2, 3, "x"))),
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_gives_rows_or_a_manifest_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    entries = json.loads(json.dumps(data.draw(st.sampled_from([FULL, MIN]))))
    node = entries
    for _ in range(data.draw(st.integers(0, 7))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys)) if keys else None
        if key is None or not isinstance(node[key], dict | list):
            break
        node = node[key]
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    if keys:
        node[data.draw(st.sampled_from(keys))] = data.draw(JSON_VALUES)
    path = write(tmp_path, "x.json", entries)
    assert label_studio.accepts(path) in (True, False)
    try:
        assert isinstance(label_studio.read(path, AT_10), Rows)
    except ManifestError as error:
        assert str(error)
