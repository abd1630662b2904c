"""A manifest: its clips, its groups, and its CSV."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.data.clip import clean_label, clean_text
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError


def source(folder: Path, *lines: str, header: str = "video,label,split") -> Path:
    for line in lines:
        (folder / line.split(",")[0]).touch()
    path = folder / "clips.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def test_groups_come_from_the_column_then_from_names(tmp_path: Path) -> None:
    rows = ["v_Bounce_g07_c02.mp4,a,mine", "v_Bounce_g08_c02.mp4,a,", "x.mp4,b,"]
    manifest = Manifest.from_source(source(tmp_path, *rows, header="video,label,group"))
    assert manifest.table["group"].to_list() == ["mine", "v_Bounce_g08", None]
    assert any(note.startswith("1 group of 1 clip taken from") for note in manifest.notes)
    assert any(note.startswith("the groups of 1 clips are unknown") for note in manifest.notes)


def test_where_and_labels(tmp_path: Path) -> None:
    manifest = Manifest.from_source(
        source(tmp_path, "1.mp4,b,train", "2.mp4,a,train", "3.mp4,a,test")
    )
    assert manifest.labels == ["a", "b"]
    assert [clip.video.name for clip in manifest.where(split="test").clips()] == ["3.mp4"]
    assert len(manifest.where(split="validation")) == 0
    with pytest.raises(ConfigError, match=r"split='tset' is not one of .* Did you mean 'test'\?"):
        manifest.where(split="tset")


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
