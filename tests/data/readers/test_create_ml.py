"""Create ML's annotations become rows, or are refused with the rows named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader_rows import rows, touch, write
from vidclass.data.readers import create_ml
from vidclass.data.readers.reader import ReadOptions
from vidclass.data.sources import read_source
from vidclass.errors import ManifestError

PLAIN = ReadOptions()
SPAN = ("start_s", "stop_s")
CSV = "video,label,start,end\na.mov,Jump,0,1.5\na.mov,Squat,00:01,01:03.25\n"
ENTRIES = [
    {"video": "a.mov", "label": "Jump", "start": 0, "end": 1.5},
    {"video": "a.mov", "label": "Squat", "start": "00:01", "end": "01:03.25"},
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", CSV),
        ("x.csv", CSV.replace(",", ";").replace("video", "Path")),
        ("x.tsv", CSV.replace(",", "\t")),
        ("x.json", ENTRIES),
    ],
)
def test_spans_in_both_forms(tmp_path: Path, name: str, content: object) -> None:
    touch(tmp_path, "Jump/a.mov")
    path = write(tmp_path, name, content)
    assert create_ml.accepts(path)
    clips = create_ml.read(path, PLAIN)
    assert rows(clips, tmp_path, *SPAN) == [
        ("Jump/a.mov", "Jump", 0.0, 1.5),
        ("a.mov", "Squat", 1.0, 63.25),
    ]
    assert clips.notes == ()


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        ("", "", (0.0, None)),
        ("3", "", (3.0, None)),
        ("", "0.5", (0.0, 0.5)),
        ("05:01:03", "05:01:03.14", (18063.0, 18063.14)),
    ],
)
def test_forms_of_times(
    tmp_path: Path, start: str, end: str, span: tuple[float, float | None]
) -> None:
    path = write(tmp_path, "x.csv", f"video,label,start,end\na.mov,Jump,{start},{end}\n")
    assert rows(create_ml.read(path, PLAIN), tmp_path, *SPAN) == [("a.mov", "Jump", *span)]


def test_overlaps_stay_and_the_same_span_is_joined_on_demand(tmp_path: Path) -> None:
    text = "video,label,start,end\na.mov,b,0,2\na.mov,a,0,2\na.mov,c,1,2\n"
    path = write(tmp_path, "x.csv", text)
    assert [row[1] for row in rows(create_ml.read(path, PLAIN), tmp_path)] == ["b", "a", "c"]
    merged = read_source(path, multi_label=True)
    assert rows(merged, tmp_path, *SPAN) == [("a.mov", "a|b", 0.0, 2.0), ("a.mov", "c", 1.0, 2.0)]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (-1, 2),
        (2, 2),
        (3, 2),
        ("x", 2),
        (0, "1:2:3:4"),
        (True, 2),
        ([], 2),
        (0, 1e300),
        (0, 10**400),
    ],
)
def test_what_is_no_span_is_named(tmp_path: Path, start: object, end: object) -> None:
    entry = {"video": "a.mov", "label": "Jump", "start": start, "end": end}
    path = write(tmp_path, "x.json", [*ENTRIES, entry])
    with pytest.raises(ManifestError, match=r"0 <= start < end in seconds.*; entry 3 has start"):
        create_ml.read(path, PLAIN)


def test_wrong_rows_of_a_table_are_named_by_line(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", CSV + "\na.mov,Jump,nan,2\n,Jump,0,1\n")
    with pytest.raises(ManifestError, match=r"row 5 has start 'nan' and end '2', row 6 has"):
        create_ml.read(path, PLAIN)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"label": "Jump", "start": 0, "end": 1}, r"x\.json, entry 3 has no video; its names are"),
        ({"video": "a.mov", "label": 3, "start": 0, "end": 1}, r"entry 3 has the label 3"),
        ({"video": "a.mov", "label": " ", "start": 0, "end": 1}, r"x\.json, entry 3: the name of"),
        ({"video": None, "label": "a", "start": 0, "end": 1}, r"entry 3 has the video None"),
        ({"video": "a.mov", "label": "a|b", "start": 0}, r"entry 3: the class 'a\|b' has a bar"),
    ],
)
def test_entries_that_cannot_be_used(
    tmp_path: Path, entry: dict[str, object], message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        create_ml.read(write(tmp_path, "x.json", [*ENTRIES, entry]), PLAIN)


def test_columns_that_are_not_used_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "x.json", [ENTRIES[0] | {"who": 1}])
    assert create_ml.read(path, PLAIN).notes == ("x.json: columns not used: 'who'.",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", "video,label\na.mov,Jump\n"),
        ("x.csv", "video,label,start_s,stop_s\na.mov,Jump,0,1\n"),
        ("x.csv", '"video,label,start,end\n'),
        ("x.json", [{"video": "a.mov", "label": "Jump"}]),
        ("x.json", {"video": "a.mov", "label": "Jump", "start": 0, "end": 1}),
        ("x.txt", CSV),
        ("x.csv", ""),
    ],
)
def test_other_files_are_not_accepted(tmp_path: Path, name: str, content: object) -> None:
    assert not create_ml.accepts(write(tmp_path, name, content))
    assert not create_ml.accepts(tmp_path / "nowhere.csv")
    assert not create_ml.accepts(tmp_path)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    for name in ("x.csv", "x.json"):
        with pytest.raises(ManifestError, match=rf"{name}' cannot be read"):
            create_ml.read(tmp_path / name, PLAIN)


@given(seconds=st.floats(0, 1e6), length=st.floats(0.01, 100))
def test_times_as_text_are_times_as_numbers(seconds: float, length: float) -> None:
    start, end = round(seconds, 3), round(seconds + length, 3)
    for time in (start, end):
        clock = f"{int(time // 3600)}:{int(time % 3600 // 60):02}:{time % 60:.3f}"
        assert create_ml._seconds(clock, 0.0) == pytest.approx(time, abs=2e-3)
        assert create_ml._seconds(f"{time:.3f}", 0.0) == pytest.approx(time)
