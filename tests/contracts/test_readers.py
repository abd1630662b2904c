"""The contract of every reader in `READERS`: what it accepts, returns and raises."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reader_rows import HOSTILE, mutated, write
from vidclass.data.manifest import Manifest
from vidclass.data.readers.reader import ReadOptions
from vidclass.data.rows import SCHEMA, Rows
from vidclass.data.sources import READERS, read_source
from vidclass.errors import ManifestError, VidclassError

AT_25 = ReadOptions(fps=25)
TASK_VALUE = {"ranges": [{"start": 1, "end": 10}], "timelinelabels": ["Run"]}
CVAT = (
    '<?xml version="1.0"?>\n<annotations><meta><task><source>a.mp4</source></task></meta>'
    '<track label="jump"><box frame="0" outside="0"/><box frame="9" outside="1"/></track>'
    '<tag label="run" frame="5"/></annotations>'
)


@dataclass(frozen=True)
class Example:
    """A minimal valid source.

    Attributes:
        reader: Name of its reader.
        files: Contents by name; the first file is the one to damage.
        damaged: Content of that file which must raise an error that names it.
        source: What to read: the first file, or the folder of all (``).
        words: Fragments that are likely to break this format.
        by_content: True if the reader recognizes the content, not only the names of files.
    """

    reader: str
    files: Mapping[str, object]
    damaged: object
    source: str | None = None
    words: tuple[bytes, ...] = ()
    by_content: bool = False

    @property
    def main(self) -> str:
        return next(iter(self.files))

    def written_to(self, folder: Path, **changes: object) -> Path:
        """Write all files, with other contents for those in `changes`; return the source."""
        for name, content in {**self.files, **changes}.items():
            write(folder, name, content)
        return folder / (self.main if self.source is None else self.source)


EXAMPLES = [
    Example(
        "label_studio",
        {
            "x.json": [
                {
                    "id": 1,
                    "data": {"video": "/data/upload/1/abcd1234-a.mp4", "title": "x"},
                    "annotations": [
                        {"was_cancelled": False, "result": [{"value": TASK_VALUE}]},
                        {"result": [{"value": {"choices": ["a", "b"]}}], "updated_at": "2"},
                    ],
                }
            ]
        },
        [{"id": 1, "data": {"video": "a.mp4"}, "annotations": [3]}],
        words=(b"\\ud800",),
        by_content=True,
    ),
    Example(
        "label_studio",
        {"x.json": [{"id": 1, "video": "a.mp4", "annotation_id": 7, "labels": [TASK_VALUE]}]},
        [{"annotation_id": 7}],
        words=(b"\\ud800",),
        by_content=True,
    ),
    Example(
        "create_ml",
        {"x.csv": "video,label,start,end\na.mov,Jump,0,1.5\na.mov,Squat,00:01,01:03.25\n"},
        "video,label,start,end\na.mov,Jump,2,1\n",
        by_content=True,
    ),
    Example(
        "create_ml",
        {"x.json": [{"video": "a.mov", "label": "Jump", "start": 0, "end": "00:01"}]},
        [{"video": "a.mov", "label": "Jump", "start": True, "end": 1}],
        by_content=True,
    ),
    Example(
        "cvat",
        {"a.xml": CVAT},
        CVAT[:-5],
        words=(b"<", b"</track>", b"&x;", b"<!DOCTYPE x>", b"<track>"),
    ),
    Example(
        "kinetics",
        {"train.csv": "label,youtube_id,time_start,time_end,split\nrun,abcdefghijk,1,2,train\n"},
        "label,youtube_id,time_start,time_end,split\nrun,abcdefghijk,2,1,train\n",
        by_content=True,
    ),
    Example(
        "something_something",
        {"x.json": [{"id": "7", "template": "Holding [something]"}, {"id": 8, "template": "A"}]},
        [{"id": "7", "template": "Holding [something]"}, {"id": 7}],
        words=(b"\\ud800", b'"id"'),
    ),
    Example(
        "something_something",
        {"train.csv": "7;Holding something\n", "validation.csv": "8;Holding something\n"},
        "7;Holding something\nx\n",
        source="",
    ),
    Example(
        "ucf101",
        {
            "trainlist01.txt": "Diving/v_Diving_g01_c01.avi 1\nPunch/v_Punch_g01_c01.avi 2\n",
            "testlist01.txt": "Diving/v_Diving_g02_c01.avi\n",
            "classInd.txt": "1 Diving\n2 Punch\n",
        },
        "Diving/v_Diving_g01_c01.avi 2\n",
        source="",
    ),
    Example(
        "hmdb51",
        {"wave_test_split1.txt": "a.avi 1\nb.avi 2\nc.avi 0\n"},
        "a.avi 3\n",
        source="",
    ),
    Example(
        "videofolder",
        {"metadata.csv": "file_name,label\n1.mp4,a\n"},
        "file_name,label\n1.mp4,\n",
        source="",
    ),
    Example(
        "mmaction2",
        {"list.txt": "1.mp4 0\n../2.mp4,1\n/x/clip 25 2 1\n", "classes.txt": "run\nwave\njump\n"},
        "1.mp4 0\n2.mp4 9\n",
    ),
    Example(
        "mmaction2",
        {"k400_train_list.txt": "1.mp4 0\n", "k400_val_list.txt": "2.mp4 0\n"},
        "1.mp4 0\nclip\n",
        source="",
    ),
    Example(
        "split_tables",
        {"train.csv": "video,label\n1.mp4,a\n", "test.csv": "video,label\n2.mp4,a\n"},
        "video,label,start_s\n1.mp4,a,-1\n",
        source="",
    ),
    Example(
        "table",
        {
            "list.csv": "video,label,split,start_s,stop_s,fps\n"
            "1.mp4,a|b,train,0,1.5,\n2.mp4,c,val,,,25\n"
        },
        "video,label,fold\n1.mp4,a,x\n",
    ),
    Example(
        "table",
        {"list.jsonl": '{"video": "1.mp4", "label": ["a", "b"], "start_s": 0}\n'},
        '{"video": 1.mp4}',
    ),
]
CLASS_FOLDERS = Example("folder", {"a/1.mp4": b"", "b/deep/2.avi": b""}, b"", source="")
by_name = {reader.name: reader for reader in READERS}


def name_of(example: Example) -> str:
    return f"{example.reader}-{example.main}"


@pytest.fixture(params=EXAMPLES, ids=name_of)
def example(request: pytest.FixtureRequest) -> Example:
    assert isinstance(request.param, Example)
    return request.param


def test_every_reader_has_an_example_and_a_name_of_its_own() -> None:
    assert {one.reader for one in [*EXAMPLES, CLASS_FOLDERS]} == set(by_name)
    assert len(by_name) == len(READERS)
    assert all(reader.description for reader in READERS)


@pytest.mark.parametrize("one", [*EXAMPLES, CLASS_FOLDERS], ids=name_of)
def test_the_first_reader_to_accept_a_valid_example_reads_it(one: Example, tmp_path: Path) -> None:
    source = one.written_to(tmp_path)
    assert next(reader.name for reader in READERS if reader.accepts(source)) == one.reader
    rows = by_name[one.reader].read(source, AT_25)
    assert dict(rows.table.schema) == dict(SCHEMA)
    assert len(Manifest(rows.table)) > 0
    assert all(isinstance(note, str) and note.endswith(".") for note in rows.notes)
    fps = 25 if "fps" in by_name[one.reader].options else None
    assert len(read_source(source, fps=fps, format=one.reader).table) == len(rows.table)


def test_a_damaged_example_raises_an_error_that_names_the_file(
    example: Example, tmp_path: Path
) -> None:
    source = example.written_to(tmp_path, **{example.main: example.damaged})
    with pytest.raises(ManifestError, match=re.escape(example.main)):
        by_name[example.reader].read(source, AT_25)


def test_a_folder_without_videos_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a/readme.md", b"")
    with pytest.raises(ManifestError, match=tmp_path.name):
        by_name["folder"].read(tmp_path, AT_25)


@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_content_gives_no_other_error(
    example: Example, content: bytes, tmp_path: Path
) -> None:
    source = example.written_to(tmp_path, **{example.main: content})
    reader = by_name[example.reader]
    accepted = reader.accepts(source)
    assert accepted in (True, False)
    assert not (accepted and example.by_content)
    if accepted or source.is_file():
        with pytest.raises(ManifestError, match=re.escape(example.main)):
            reader.read(source, AT_25)


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_mutated_content_gives_rows_or_a_manifest_error(
    example: Example, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        example.written_to(Path(folder))
        content = data.draw(mutated((Path(folder) / example.main).read_bytes(), example.words))
        source = example.written_to(Path(folder), **{example.main: content})
        accepted = by_name[example.reader].accepts(source)
        assert accepted in (True, False)
        if accepted or source.is_file():
            try:
                assert isinstance(by_name[example.reader].read(source, AT_25), Rows)
            except ManifestError as error:
                assert str(error)
        try:
            Manifest.from_source(source)
        except VidclassError as error:
            assert str(error)


ANY_FOLDER = st.dictionaries(
    st.sampled_from(
        ["train.csv", "test.csv", "metadata.csv", "classInd.txt", "trainlist01.txt", "a/1.mp4",
         "x_test_split1.txt", "train_list.txt", "train.json", "labels.json", "a/img_1.jpg", "é.xml"]
    ),
    st.binary(max_size=40),
    max_size=5,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(files=ANY_FOLDER)
def test_accepts_never_raises_on_any_file_or_folder(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            write(folder, file, content)
        for source in (folder, folder / "missing", *(folder / file for file in files)):
            assert all(reader.accepts(source) in (True, False) for reader in READERS)
