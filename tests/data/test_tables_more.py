"""JSON lines, several labels, and folders of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.checks import require_single_labels
from vidclass.data.manifest import Manifest
from vidclass.data.media_files import IMAGE_EXTENSIONS, is_image_sequence
from vidclass.errors import ManifestError
from vidclass.video.image_sequence import CODECS

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, text: str = "x") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make


def test_json_lines_are_a_table(write: Write) -> None:
    write("1.mp4")
    table = write(
        "clips.jsonl",
        '{"video": "1.mp4", "label": "run", "start_s": 0, "stop_s": 1.5}\n\n'
        '{"label": ["wave", "run"], "video": "1.mp4", "start_s": 2, "fold": null}\n',
    )
    manifest = Manifest.from_source(table)
    assert [clip.label for clip in manifest.clips()] == ["run", "run|wave"]
    assert [clip.span.start_s for clip in manifest.clips()] == [0.0, 2.0]
    assert manifest.labels == ["run", "wave"]
    assert manifest.multi_label


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"video": "1.mp4"\n', r"clips\.jsonl, row 1 is not JSON: .* Write one object a line"),
        ('\n["1.mp4", "run"]\n', r"row 2 is no JSON object but '\[\"1"),
        ('{"video": {"a": 1}, "label": "b"}', r"row 1: video must be a text or a number, found"),
        ('{"video": "1.mp4", "label": [1]}', r"row 1: label must be a text or a number"),
        ("[" * 100_000, r"row 1 is not JSON"),
        ('{"video": "1.mp4", "tags": "x"}', r"no column for the label"),
    ],
)
def test_json_lines_that_are_wrong(write: Write, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        Manifest.from_source(write("clips.jsonl", text))


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


def test_rows_are_joined_only_when_that_is_asked_for(write: Write) -> None:
    write("1.mp4")
    table = write("clips.csv", "video,label\n1.mp4,run\n1.mp4,wave\n")
    with pytest.raises(
        ManifestError, match=r"two labels: .* Keep one, or pass multi_label=True if b"
    ):
        Manifest.from_source(table)
    manifest = Manifest.from_source(table, multi_label=True)
    assert [clip.label for clip in manifest.clips()] == ["run|wave"]
    text = "video,label,split\n1.mp4,run,train\n1.mp4,wave,test\n"
    with pytest.raises(ManifestError, match="two labels"):  # rows that differ in more stay apart
        Manifest.from_source(write("other.csv", text), multi_label=True)


def test_pictures_are_those_that_can_be_decoded() -> None:
    assert set(CODECS) == IMAGE_EXTENSIONS


def test_what_a_frame_folder_is(write: Write, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write(f"good/img_{number:05}.jpg")
        write(f"plain/{number}.PNG")
        write(f"names/img_{number}_left.jpg")
        write(f"words/img_{'abc'[number - 1]}.jpg")
        write(f"mixed/a{number}.jpg")
        write(f"mixed/b{number}.jpg")
    write("good/.hidden")
    write("good/Thumbs.db")
    write("deeper/img_1.jpg")
    write("deeper/more/img_1.jpg")
    (tmp_path / "empty").mkdir()
    assert is_image_sequence(tmp_path / "good")
    assert is_image_sequence(tmp_path / "plain")
    assert is_image_sequence(tmp_path / "names")
    for name in ("words", "mixed", "deeper", "empty", "missing", "good/.hidden"):
        assert not is_image_sequence(tmp_path / name), name


def test_frame_folders_are_videos_with_a_given_rate(write: Write) -> None:
    for label in ("run", "wave"):
        for number in (1, 2):
            write(f"clips/{label}/first/img_{number:05}.jpg")
        root = write(f"clips/{label}/film.mp4").parents[1]
    with pytest.raises(
        ManifestError,
        match=r"2 image sequences without a frame rate: .*run/first.* with `fps`, or in a",
    ):
        Manifest.from_source(root)
    clips = Manifest.from_source(root, fps=12.5).clips()
    assert [(clip.video.name, clip.label, clip.fps) for clip in clips] == [
        ("film.mp4", "run", None),
        ("first", "run", 12.5),
        ("film.mp4", "wave", None),
        ("first", "wave", 12.5),
    ]


def test_a_table_gives_each_frame_folder_its_rate(write: Write, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(f"{name}/000001.png")
    table = write("clips.csv", "video,label,fps\na,run,25\nb,wave,\n")
    assert [clip.fps for clip in Manifest.from_source(table, fps=10).clips()] == [25.0, 10.0]
    again = tmp_path / "again.csv"
    Manifest.from_source(table, fps=10).write_csv(again)
    assert [clip.fps for clip in Manifest.from_source(again).clips()] == [25.0, 10.0]
    with pytest.raises(ManifestError, match=r"fps must be more than 0; row 2 has '0'"):
        Manifest.from_source(write("clips.csv", "video,label,fps\na,run,0\n"))


def test_a_class_folder_may_name_several_classes(write: Write) -> None:
    root = write("clips/wave|run/1.mp4").parents[1]
    assert Manifest.from_source(root).clips()[0].label == "run|wave"
    write("clips/wave|/2.mp4")
    with pytest.raises(ManifestError, match=r"wave\|' names no class: a bar stands"):
        Manifest.from_source(root)
