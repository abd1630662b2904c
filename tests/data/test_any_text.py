"""Whatever is in a list: clips, or an error of ours that says what is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.data.manifest import Manifest
from vidclass.data.readers.table_cells import read_table
from vidclass.errors import ManifestError, VidclassError

LISTS = {
    "list.csv": "video,label,split,start_s,stop_s,fps\n1.mp4,a|b,train,0,1.5,\n2.mp4,c,val,,,25\n",
    "kinetics.csv": "label,youtube_id,time_start,time_end,split\nrun,abcdefghijk,1,2,train\n",
    "list.jsonl": '{"video": "1.mp4", "label": ["a", "b"], "start_s": 0}\n',
    "lists/classInd.txt": "1 Diving\n2 Punch\n",
    "lists/trainlist01.txt": "Diving/v_Diving_g01_c01.avi 1\nPunch/v_Punch_g01_c01.avi 2\n",
    "lists/testlist01.txt": "Diving/v_Diving_g02_c01.avi\n",
    "hmdb/wave_test_split1.txt": "a.avi 1\nb.avi 2\nc.avi 0\n",
    "folder/metadata.csv": "file_name,label\n1.mp4,a\n",
}
ODD = st.sampled_from(
    ["\0", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), '"', "|", "\\u0000",
     "\\ud800", "nan", "1e999", "-1", "../", "{", "[" * 2000, "\r", "\u2028", ";", "\t", "\xff", ""]
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_mutated_lists_give_clips_or_our_errors(data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(sorted(LISTS)))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for file, text in LISTS.items():
            if file == changed:
                for _ in range(data.draw(st.integers(1, 3))):
                    start = data.draw(st.integers(0, len(text)))
                    stop = start + data.draw(st.integers(0, 5))
                    text = text[:start] + data.draw(ODD) + text[stop:]
            (root / file).parent.mkdir(exist_ok=True)
            (root / file).write_text(text, encoding="utf-8", newline="")
        source = root / changed
        try:
            Manifest.from_source(source if source.parent == root else source.parent)
        except VidclassError as error:
            assert str(error)


def test_a_name_that_no_file_can_have_is_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "1.mp4").touch()
    table = tmp_path / "list.csv"
    table.write_text(f"video,label\n1.mp4,a\n{'x' * 5000}.mp4,b\n")
    found = Manifest.from_source(table)
    assert len(found.table) == 2
    assert any("1 of 2" in note for note in found.notes), found.notes


def test_a_cell_beyond_all_measure_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("video," + "x" * 200_000 + "\n1.mp4,a\n")
    with pytest.raises(ManifestError, match=r"list\.csv is not well-formed CSV at row \d: field l"):
        read_table(path)
