"""MMAction2's and PySlowFast's lists become rows, or are refused with the rows named."""

from __future__ import annotations

from pathlib import Path

import pytest

from reader_rows import rows, touch, write
from vidclass.data.readers import mmaction2
from vidclass.data.readers.reader import ReadOptions
from vidclass.errors import ManifestError

PLAIN = ReadOptions()
NAMES = "run\nwave\njump\n"


@pytest.mark.parametrize(
    "line", ["a b/1.mp4 2", "a b/1.mp4,2", "a b/1.mp4\t2 ", '"a b/1.mp4", 2', "a b/1.MP4  2\r"]
)
def test_a_line_is_a_video_and_the_number_of_its_class(tmp_path: Path, line: str) -> None:
    touch(tmp_path, "a b/1.mp4", "a b/1.MP4")
    write(tmp_path, "label_map_k3.txt", NAMES)
    path = write(tmp_path, "list.txt", f"\n{line}\n")
    assert mmaction2.accepts(path)
    clips = mmaction2.read(path, PLAIN)
    assert [(v.lower(), label) for v, label in rows(clips, tmp_path)] == [("a b/1.mp4", "jump")]
    assert clips.notes == ("names of classes taken from 'label_map_k3.txt'.",)


def test_several_numbers_are_several_classes(tmp_path: Path) -> None:
    path = write(tmp_path, "list.csv", "1.mp4 2 0\n2.mp4 1\n")
    write(tmp_path, "classes.txt", NAMES)
    assert rows(mmaction2.read(path, PLAIN), tmp_path) == [("1.mp4", "jump|run"), ("2.mp4", "wave")]


def test_image_sequences_have_the_given_rate(tmp_path: Path) -> None:
    touch(tmp_path, "rawframes_train/clip a/img_00001.jpg")
    path = write(tmp_path, "train_list.txt", "clip a 163 1\nclip2 5 1 2\n")
    with pytest.raises(ManifestError, match=r"train_list\.txt lists image sequences: .* fps=25"):
        mmaction2.read(path, PLAIN)
    names = write(tmp_path, "names.json", ["a", "b", "c"])
    clips = mmaction2.read(path, ReadOptions(fps=12.5, labels=names))
    assert rows(clips, tmp_path, "fps") == [("clip a", "b", 12.5), ("clip2", "b|c", 12.5)]
    folder = mmaction2.read(tmp_path, ReadOptions(fps=12.5))
    assert rows(folder, tmp_path, "split") == [
        ("rawframes_train/clip a", "1", "train"),
        ("clip2", "1|2", "train"),
    ]


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, fps: float) -> None:
    path = write(tmp_path, "list.txt", "clip 163 1\n")
    with pytest.raises(ManifestError, match=r"fps=.* must be more than 0"):
        mmaction2.read(path, ReadOptions(fps=fps))


def test_three_numbers_after_every_folder_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "list.txt", "imgs 2 5 127\n")
    notes = mmaction2.read(path, ReadOptions(fps=25)).notes
    assert any("If they are offset, frames and class, take the offset out" in n for n in notes)


def test_numbers_without_names_stay_numbers_with_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, "list.txt", "1.mp4 7\n")
    clips = mmaction2.read(path, PLAIN)
    assert rows(clips, tmp_path) == [("1.mp4", "7")]
    assert "classes are called by their numbers" in clips.notes[0]
    assert "with `labels`" in clips.notes[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("my.txt", "run\nwave\n2 people\n"),
        ("my.txt", "0 run\n1 wave\n2 2 people\n"),
        ("my.json", {"2 people": 2, '"run"': 0, "wave": 1}),
        ("my.json", ["run", "wave", "2 people"]),
    ],
)
def test_forms_of_a_file_of_names(tmp_path: Path, name: str, content: object) -> None:
    names = write(tmp_path / "else", name, content)
    path = write(tmp_path, "list.txt", "1.mp4 0\n2.mp4 2\n")
    clips = mmaction2.read(path, ReadOptions(labels=names))
    assert rows(clips, tmp_path) == [("1.mp4", "run"), ("2.mp4", "2 people")]


def test_a_map_beside_the_list_is_found(tmp_path: Path) -> None:
    write(tmp_path, "kinetics_classids.json", {"run": 0, "wave": 1})
    write(tmp_path, "other.json", [{"id": 1}])
    path = write(tmp_path, "list.txt", "1.mp4 1\n")
    assert rows(mmaction2.read(path, PLAIN), tmp_path) == [("1.mp4", "wave")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "labels.txt",
            "run\nwave\n",
            r"'labels\.txt' names the classes 0 to 1; row 2 has 2, row",
        ),
        ("labels.txt", "", r"labels\.txt names no classes: write one name per line"),
        ("labels.txt", "run\n\nwave\n", r"labels\.txt, row 2: the name of a class is empty"),
        ("labels.txt", "run\nrun\nwave\n", r"labels\.txt has a name twice: 'run'"),
        ("labels.txt", "a|b\nrun\nwave\n", r"row 1: the class 'a\|b' has a bar"),
        ("labels.json", {"a": 1, "b": 1}, r"labels\.json has a number twice: '1'"),
        ("labels.json", {"a": -1}, r"labels\.json, entry 1 must be a name and a whole number"),
    ],
)
def test_files_of_names_that_cannot_be_used(
    tmp_path: Path, name: str, content: object, message: str
) -> None:
    write(tmp_path, name, content)
    path = write(tmp_path, "list.txt", "0.mp4 0\n1.mp4 2\n\n2.mp4 9\n")
    with pytest.raises(ManifestError, match=message):
        mmaction2.read(path, PLAIN)


@pytest.mark.parametrize("content", [b"3", b'{"a": true}', b'{"a": "x"}', b"[1]", b"[" * 9999])
def test_a_given_map_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "list.txt", "0.mp4 0\n")
    with pytest.raises(ManifestError, match=r"names\.json"):
        mmaction2.read(path, ReadOptions(labels=write(tmp_path, "names.json", content)))


def test_several_files_of_names_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "label_map_a.txt", "classes.txt")
    path = write(tmp_path, "list.txt", "1.mp4 1\n")
    with pytest.raises(ManifestError, match=r"'classes\.txt', 'label_map_a\.txt'\. Choose one wi"):
        mmaction2.read(path, PLAIN)


def test_ragged_lines_are_named(tmp_path: Path) -> None:
    text = "1.mp4 1\n2.mp4\nfolder 3\n4.mp4 -1\n5.mp4 9999999999\n6.mp4 x\n"
    with pytest.raises(ManifestError, match=r"row 2 has '2\.mp4', row 3 has 'folder 3', row 4 .*"):
        mmaction2.read(write(tmp_path, "list.txt", text), PLAIN)


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "list.txt", " \n\n")
    assert not mmaction2.accepts(path)
    with pytest.raises(ManifestError, match=r"list\.txt is empty: it must have a line per clip"):
        mmaction2.read(path, PLAIN)


def test_a_folder_of_lists_gives_splits(tmp_path: Path) -> None:
    touch(tmp_path, "videos_train/1.mp4", "val/2.mp4")
    write(tmp_path, "k3_train_list.txt", "1.mp4 0\n")
    write(tmp_path, "k3_val_list.txt", "2.mp4 1\n")
    write(tmp_path, "test.csv", "3.mp4 2\n")
    write(tmp_path, "constraints.txt", "1.mp4 0\n")
    write(tmp_path, "classes.txt", NAMES)
    assert mmaction2.accepts(tmp_path)
    assert rows(mmaction2.read(tmp_path, PLAIN), tmp_path, "split") == [
        ("videos_train/1.mp4", "run", "train"),
        ("val/2.mp4", "wave", "validation"),
        ("3.mp4", "jump", "test"),
    ]


def test_one_of_several_official_splits(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path, f"u_train_split_{number}_videos.txt", f"{number}.mp4 0\n")
        write(tmp_path, f"u_val_split_{number}_videos.txt", f"v{number}.mp4 0\n")
    clips = mmaction2.read(tmp_path, ReadOptions(official_split=2))
    assert [row[0] for row in rows(clips, tmp_path)] == ["2.mp4", "v2.mp4"]
    with pytest.raises(ManifestError, match=r"has 2 lists for train: 'u_train_split_1_v.* Keep on"):
        mmaction2.read(tmp_path, PLAIN)


def test_root_comes_first(tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4", "away/1.mp4")
    path = write(tmp_path, "list.txt", "1.mp4 0\n9.mp4 0\n")
    clips = mmaction2.read(path, ReadOptions(root=tmp_path / "away"))
    assert [row[0] for row in rows(clips, tmp_path)] == ["away/1.mp4", "away/9.mp4"]


@pytest.mark.parametrize(
    "text", ["video,label\n1.mp4,0\n", "1 ApplyEyeMakeup\n", "run\n", "a.mp4\n", "x 3\n"]
)
def test_other_text_is_not_accepted(tmp_path: Path, text: str) -> None:
    assert not mmaction2.accepts(write(tmp_path, "list.csv", text))
    assert not mmaction2.accepts(tmp_path / "nowhere.txt")
    assert not mmaction2.accepts(tmp_path)
