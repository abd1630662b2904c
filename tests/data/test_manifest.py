"""The one table: what holds of it, and what it can tell."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass._core.text import counted, did_you_mean, listed
from vidclass.data.clip import clean_label, clean_text
from vidclass.data.groups import group_in_name
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA, Rows
from vidclass.errors import ConfigError, LeakError, ManifestError


def source(folder: Path, *lines: str, header: str = "video,label,split") -> Path:
    for line in lines:
        (folder / line.split(",")[0]).touch()
    path = folder / "clips.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def test_exact_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    csv = source(tmp_path, "1.mp4,a,", "2.mp4,b,", "1.mp4,a,", "1.mp4,a,")
    manifest = Manifest.from_source(csv)
    assert len(manifest) == 2
    assert "2 duplicate rows dropped: '1.mp4'." in manifest.notes


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


def test_groups_come_from_the_column_then_from_names(tmp_path: Path) -> None:
    rows = ["v_Bounce_g07_c02.mp4,a,mine", "v_Bounce_g08_c02.mp4,a,", "x.mp4,b,"]
    manifest = Manifest.from_source(source(tmp_path, *rows, header="video,label,group"))
    assert manifest.table["group"].to_list() == ["mine", "v_Bounce_g08", None]
    assert any(note.startswith("1 group of 1 clip taken from") for note in manifest.notes)
    assert any(note.startswith("the groups of 1 clips are unknown") for note in manifest.notes)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("/x/v_Diving_g01_c03.avi", "v_Diving_g01"),
        ("v_BounceLeft_g07_c02.mp4", "v_BounceLeft_g07"),
        ("v_shooting_01_01.avi", None),
        ("/a_g01_b/clip.mp4", None),
    ],
)
def test_group_in_name(name: str, group: str | None) -> None:
    assert group_in_name(name) == group


def test_where_and_labels(tmp_path: Path) -> None:
    manifest = Manifest.from_source(
        source(tmp_path, "1.mp4,b,train", "2.mp4,a,train", "3.mp4,a,test")
    )
    assert manifest.labels == ["a", "b"]
    assert [clip.video.name for clip in manifest.where(split="test").clips()] == ["3.mp4"]
    assert len(manifest.where(split="validation")) == 0
    with pytest.raises(ConfigError, match=r"split='tset' is not one of .* Did you mean 'test'\?"):
        manifest.where(split="tset")


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


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(clean_text)


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    (folder / "v0.mp4").touch()
    count = data.draw(st.integers(1, 4))
    label = TEXT.filter(bool)
    rows = {
        "video": [str(folder / f"v{index}.mp4") for index in range(count)],
        "label": data.draw(
            st.lists(TEXT.map(clean_label).filter(bool), min_size=count, max_size=count)
        ),
        "group": data.draw(st.lists(st.none() | label, min_size=count, max_size=count)),
        "fold": data.draw(st.lists(st.none() | st.integers(0, 9), min_size=count, max_size=count)),
        "start_s": data.draw(st.lists(st.floats(0, 1e9), min_size=count, max_size=count)),
    }
    manifest = Manifest(Rows.from_columns(rows).table)
    manifest.write_csv(folder / "out.csv")
    again = Manifest.from_source(folder / "out.csv")
    assert again.table.equals(manifest.table)
    assert again.fingerprint == manifest.fingerprint
    assert sorted(path.name for path in folder.iterdir()) == ["out.csv", "v0.mp4"]


def test_the_fingerprint_sees_every_cell(tmp_path: Path) -> None:
    manifest = Manifest.from_source(source(tmp_path, "1.mp4,a,", "2.mp4,b,"))
    assert len(manifest.fingerprint) == 64
    assert manifest.with_notes("x").fingerprint == manifest.fingerprint
    assert manifest.with_splits(["train", None]).fingerprint != manifest.fingerprint


def test_wording() -> None:
    assert (counted(1, "class"), counted(2, "class"), counted(2, "clip")) == (
        "1 class",
        "2 classes",
        "2 clips",
    )
    assert listed("abc") == "a, b, c"
    assert listed("abc", most=2) == "a, b and 1 more"
    assert did_you_mean("zzz", ["train"]) == ""
