"""Issues of a table of clips, and the errors raised from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from vidclass.data.checks import (
    find_contradictions,
    find_leaks,
    find_unknown_labels,
    require_no_issues,
    require_single_labels,
)
from vidclass.data.groups import group_ids
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA, Rows
from vidclass.errors import LeakError, ManifestError

Write = Callable[..., Path]


def source(folder: Path, *lines: str, header: str = "video,label,split") -> Path:
    for line in lines:
        (folder / line.split(",")[0]).touch()
    path = folder / "clips.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def test_one_clip_with_two_labels_is_refused(tmp_path: Path) -> None:
    csv = source(tmp_path, "1.mp4,a,", "1.mp4,b,")
    with pytest.raises(
        ManifestError, match=r"the same clip with two labels: '.*1\.mp4' has 'a' and"
    ):
        Manifest.from_source(csv)


def test_one_video_with_two_groups_is_refused(tmp_path: Path) -> None:
    csv = source(tmp_path, "1.mp4,a,g,1", "1.mp4,a,h,2", header="video,label,group,start_s")
    with pytest.raises(
        ManifestError, match=r"the same video with two groups: .* 'g' and 'h'\. Kee"
    ):
        Manifest.from_source(csv)


@pytest.mark.parametrize("word", ["test", "validation"])
def test_labels_that_nothing_teaches_are_refused(tmp_path: Path, word: str) -> None:
    csv = source(tmp_path, "1.mp4,a,train", "2.mp4,b,train", f"3.mp4,c,{word}")
    with pytest.raises(
        ManifestError, match=rf"unknown labels in the {word} set: 'c' never .* in train: 'a', 'b'\."
    ):
        Manifest.from_source(csv)


def test_a_source_for_evaluation_needs_no_train(tmp_path: Path) -> None:
    manifest = Manifest.from_source(source(tmp_path, "1.mp4,a,test"))
    assert "only one class, 'a': training needs at least two." in manifest.notes
    assert "classes with a single clip: 'a'." in manifest.notes


def test_a_group_in_two_given_splits_is_a_leak(tmp_path: Path) -> None:
    rows = ["v_a_g01_c01.mp4,a,train", "v_a_g01_c02.mp4,a,test", "v_b_g01_c01.mp4,b,train"]
    csv = source(tmp_path, *rows)
    message = r"group: v_a_g01 \('v_a_g01_c01\.mp4' in train, 'v_a_g01_c02\.mp4' in test\) are on"
    with pytest.raises(LeakError, match=message):
        Manifest.from_source(csv)
    manifest = Manifest.from_source(csv, allow_leak=True)
    assert any(note.startswith("a leak was allowed: ") for note in manifest.notes)


def test_a_video_in_two_given_splits_is_a_leak(tmp_path: Path) -> None:
    rows = [f"{name}.mp4,a,{split}" for name in "1234" for split in ("train", "test")]
    with pytest.raises(LeakError, match=r"video: .*1\.mp4 .* and 1 more are on more than one side"):
        Manifest.from_source(source(tmp_path, *rows))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, r"1 clips have no label"),
        ({"label": "b|a"}, r"a label is the name of a class, or several, sorted, .*: 'b\|a'"),
        ({"label": "a|"}, r"with a bar between them; received: 'a\|'"),
        (
            {"split": "dev"},
            r"split must be one of \('train', 'validation', 'test'\), rec.*\['dev'\]",
        ),
        ({"start_s": -1.0}, r"0 <= start_s < stop_s: 'v' has start_s=-1\.0, stop_s=None"),
        ({"start_s": float("nan")}, r"start_s=nan"),
        ({"stop_s": float("inf")}, r"stop_s=inf"),
    ],
)
def test_a_table_is_checked_wherever_it_comes_from(change: dict[str, object], message: str) -> None:
    row = {"video": "v", "label": "a", "start_s": 0.0} | change
    with pytest.raises(ManifestError, match=message):
        Manifest(pl.DataFrame([row | dict.fromkeys(set(SCHEMA) - set(row))], schema=dict(SCHEMA)))


def test_other_columns_are_refused() -> None:
    with pytest.raises(ManifestError, match=r"columns must be .* received: \{'video': String\}"):
        Manifest(pl.DataFrame({"video": ["v"]}))


def test_labels_with_bars_are_several(write: Write) -> None:
    write("1.mp4")
    write("2.mp4")
    manifest = Manifest.from_source(
        write("clips.csv", "video;label\n1.mp4;wave | run|wave\n2.mp4;run\n")
    )
    assert [clip.label for clip in manifest.clips()] == ["run|wave", "run"]
    assert manifest.labels == ["run", "wave"]
    with pytest.raises(
        ManifestError, match=r"1 clip of 2 have several labels, first of all '.*1\.mp4': 'run', 'w"
    ):
        require_single_labels(manifest.table)
    with pytest.raises(ManifestError, match=r"clips\.csv has no label in row 2"):
        Manifest.from_source(write("clips.csv", "video;label\n1.mp4;run|\n"))


def table_of(**columns: list[object]) -> pl.DataFrame:
    count = len(columns["label"])
    videos = [f"/v/{row}.mp4" for row in range(count)]
    return Rows.from_columns({"video": videos, **columns}).table


def test_issues_name_the_rows_of_their_clips() -> None:
    table = table_of(
        label=["a", "a", "b", "b", "a|c"],
        group=["g", "g", "h", None, None],
        split=["train", "test", "train", "train", "validation"],
        fold=[0, 0, 1, 2, None],
    )
    [leak] = find_leaks(table, group_ids(table))
    assert (leak.kind, leak.severity, leak.rows) == ("leak", "error", (0, 1))
    assert leak.title == "a leak between splits"
    assert not find_leaks(table, group_ids(table), column="fold")
    [unknown] = find_unknown_labels(table)
    assert (unknown.kind, unknown.rows) == ("unknown_label", (4,))
    assert unknown.advice.startswith("unknown labels in the validation set: 'c' never occur")


def test_contradictions_of_labels_and_of_groups_are_two_issues() -> None:
    table = table_of(video=["/v", "/v", "/w"], label=["a", "b", "a"], group=["g", "h", "g"])
    labels, groups = find_contradictions(table)
    assert (labels.title, labels.rows) == ("contradictory labels", (0, 1))
    assert (groups.title, groups.rows) == ("contradictory groups", (0, 1))
    with pytest.raises(ManifestError) as error:
        require_no_issues(find_contradictions(table))
    assert str(error.value) == labels.advice


def test_a_table_without_issues() -> None:
    table = table_of(label=["a", "a"], group=["g", "h"], split=["train", "test"])
    assert not find_leaks(table, group_ids(table))
    assert not find_contradictions(table)
    assert not find_unknown_labels(table)
