"""Tables become rows, or an error names the file and its rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from vidclass.data.manifest import Manifest
from vidclass.data.readers.table_cells import read_table
from vidclass.errors import ManifestError

Touch = Callable[..., Path]
Write = Callable[..., Path]


def table(folder: Path, text: str, name: str = "clips.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def names(manifest: Manifest) -> list[str]:
    return [clip.video.name for clip in manifest.clips()]


@pytest.mark.parametrize("video", ["video", "video_name", "Clip", " path", "FILE"])
@pytest.mark.parametrize("label", ["label", "tag", "class"])
def test_column_names_in_a_row(touch: Touch, video: str, label: str) -> None:
    csv = table(touch("1.mp4", "2.mp4"), f"{label},{video}\na,1.mp4\nb,2.mp4\n")
    manifest = Manifest.from_source(csv)
    assert [(clip.video.name, clip.label) for clip in manifest.clips()] == [
        ("1.mp4", "a"),
        ("2.mp4", "b"),
    ]


def test_every_column_is_read(touch: Touch) -> None:
    text = (
        "video,label,group,split,fold,start_s,stop_s\n"
        "1.mp4,a,g1,Training,0,,2.5\n1.mp4,b,g1,train,1.0,2.5,\n"
        "2.mp4,a,,val,2,,\n2.mp4,b,,valid,2,1,2\n"
    )
    clips = Manifest.from_source(table(touch("1.mp4", "2.mp4"), text)).clips()
    assert [clip.split for clip in clips] == ["train", "train", "validation", "validation"]
    assert [clip.group for clip in clips] == ["g1", "g1", None, None]
    assert [clip.fold for clip in clips] == [0, 1, 2, 2]
    assert [(clip.span.start_s, clip.span.stop_s) for clip in clips] == [
        (0.0, 2.5),
        (2.5, None),
        (0.0, None),
        (1.0, 2.0),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_dialects_and_difficult_names(
    touch: Touch, delimiter: str, newline: str, encoding: str
) -> None:
    folder = touch("ü b.mp4", 'it\'s; a, "q".mp4')
    lines = ["", "video_name,tag", "ü b.mp4,Käse", '"it\'s; a, ""q"".mp4",日本', ",", ""]
    text = newline.join(
        line if line.startswith('"it') else line.replace(",", delimiter) for line in lines
    ).replace('mp4",日', f'mp4"{delimiter}日')
    manifest = Manifest.from_source(table(folder, text, encoding=encoding))
    assert manifest.labels == ["Käse", "日本"]
    assert names(manifest) == ["ü b.mp4", 'it\'s; a, "q".mp4']
    assert not any("not there" in note for note in manifest.notes)


def test_labels_are_composed(touch: Touch) -> None:
    csv = table(touch("1.mp4", "2.mp4"), "video,label\n1.mp4,e\u0301\n2.mp4,\u00e9\n")
    assert Manifest.from_source(csv).labels == ["\u00e9"]


def test_tsv_and_parquet(touch: Touch) -> None:
    folder = touch("1.mp4", "2.mp4")
    tsv = table(folder, "video\tlabel\n1.mp4\ta\n2.mp4\tb\n", "x.tsv")
    parquet = folder / "x.parquet"
    pl.DataFrame({"path": ["1.mp4", "2.mp4"], "class": ["a", "b"], "fold": [0, 1]}).write_parquet(
        parquet
    )
    assert Manifest.from_source(tsv).labels == Manifest.from_source(parquet).labels == ["a", "b"]
    assert Manifest.from_source(parquet).table["fold"].to_list() == [0, 1]


def test_an_odd_parquet_file_is_refused(touch: Touch) -> None:
    folder = touch("1.mp4")
    with pytest.raises(ManifestError, match=r"bad\.parquet is no Parquet table of plain cells"):
        Manifest.from_source(table(folder, "not parquet at all", "bad.parquet"))


def test_a_table_that_cannot_be_read_is_named(
    touch: Touch, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = table(touch("1.mp4"), "video,label\n")

    def refuse(path: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ManifestError, match=r"clips\.csv' cannot be read: Permission denied"):
        Manifest.from_source(csv)


@pytest.mark.parametrize(
    "location", ["1.mp4", "train/1.mp4", "training/1.mp4", "clips/1.mp4", "Käse/1.mp4"]
)
def test_videos_are_looked_for(touch: Touch, location: str) -> None:
    folder = touch(location, "2.mp4")
    text = "video,label,split\n1.mp4,Käse,train\n2.mp4,b,train\n"
    assert Manifest.from_source(table(folder, text)).clips()[0].video == folder / location


def test_root_comes_first_and_absolute_paths_stay(touch: Touch) -> None:
    folder = touch("1.mp4", "away/1.mp4", "else/3.mp4", "2.mp4")
    text = f"video,label\n1.mp4,a\n{folder / 'else/3.mp4'},b\n2.mp4,b\n"
    manifest = Manifest.from_source(table(folder, text), root=folder / "away")
    assert [clip.video for clip in manifest.clips()] == [
        folder / "away/1.mp4",
        folder / "else/3.mp4",
        folder / "2.mp4",
    ]


def test_missing_videos_stay_unless_all_are_missing(touch: Touch) -> None:
    folder = touch("1.mp4")
    manifest = Manifest.from_source(table(folder, "video,label\n1.mp4,a\n2.mp4,b\n"))
    assert names(manifest) == ["1.mp4", "2.mp4"]
    assert any("1 of 2 listed videos are not there: '" in note for note in manifest.notes)
    with pytest.raises(
        ManifestError, match=r"none of the 2 videos listed in .* exists; the first "
    ):
        Manifest.from_source(table(folder, "video,label\n8.mp4,a\n9.mp4,b\n"))
    with pytest.raises(ManifestError, match=r"Name the folder that holds them with `root`"):
        Manifest.from_source(table(folder, "video,label\n8.mp4,a\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no rows below its header|no column for the video"),
        ("video,label\n", r"clips\.csv has no rows below its header \['video', 'label'\]: add one"),
        ("name,label\n1.mp4,a\n", r"no column for the video: one of video, video_name, clip, "),
        ("video,labl\n1.mp4,a\n", r"for the label: .* found: 'video', 'labl'\. Did you mean 'labe"),
        ("video:label\n1.mp4:a\n", r"Only one column was found: put a comma, semicolon, tab or"),
        ("video,label,video\n1.mp4,a,b\n", r"clips\.csv has two columns 'video'"),
        ("video,label\n1.mp4,\n2.mp4,b\n3.mp4, \n", r"clips\.csv has no label in rows 2, 4\."),
        ("video,label\n,a\n", r"clips\.csv has no video in row 2\."),
        ("video,label\n1,2.mp4,a\n", r"clips\.csv, row 2 has 3 cells, the header 2: .* quotation"),
        ('video,label\n"1.mp4,a\n', r"clips\.csv is not well-formed CSV at row 2: .* not closed"),
        ("video,label,split\n1.mp4,a,trian\n", r"split must be one of train, .*; row 2 has 'trian"),
        ("video,label,split\n1.mp4,a,trian\n", r"Did you mean 'train'\?"),
        (
            "video,label,fold\n1.mp4,a,1.5\n",
            r"fold must be a whole number from 0; row 2 has '1\.5'",
        ),
        ("video,label,fold\n1.mp4,a,-1\n", r"fold must be a whole number from 0; row 2 has '-1'"),
        (
            "video,label,start_s\n1.mp4,a,'x'\n",
            r"start_s must be a number of seconds, like 2\.5; r",
        ),
        (
            "video,label,stop_s\n1.mp4,a,inf\n",
            r"stop_s must be a number of seconds.* row 2 has 'in",
        ),
        (
            "video,label,start_s\n1.mp4,a,-1\n",
            r"0 <= start_s < stop_s; row 2 has start_s=-1\.0, st",
        ),
        ("video,label,start_s,stop_s\n1.mp4,a,2,2\n", r"row 2 has start_s=2\.0, stop_s=2\.0"),
    ],
)
def test_wrong_tables_are_refused(touch: Touch, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        Manifest.from_source(table(touch("1.mp4"), text))


@pytest.mark.parametrize(
    ("encoding", "byte"), [("latin-1", "0xe9 in row 3"), ("utf-16", "0xff in row 1")]
)
def test_other_encodings_are_refused(touch: Touch, encoding: str, byte: str) -> None:
    text = "video,label\n1.mp4,a\n2.mp4,é\n"
    with pytest.raises(ManifestError, match=rf"not UTF-8 text: byte {byte}\. Save it as UTF-8"):
        Manifest.from_source(table(touch("1.mp4"), text, encoding=encoding))


def test_utf_16_without_a_mark_is_refused(touch: Touch) -> None:
    with pytest.raises(ManifestError, match=r"byte 0x00 in row 1"):
        Manifest.from_source(table(touch("1.mp4"), "video,label\n", encoding="utf-16-le"))


def test_unused_columns_are_noted_with_the_nearest_name(touch: Touch) -> None:
    csv = table(touch("1.mp4", "2.mp4"), "video,label,gruop\n1.mp4,a,g\n2.mp4,b,g\n")
    notes = Manifest.from_source(csv).notes
    assert "clips.csv: columns not used: 'gruop'. Did you mean 'group'?" in notes


def test_train_and_test_tables(touch: Touch) -> None:
    folder = touch("train/1.avi", "train/2.avi", "val/3.avi", "test/1.avi")
    table(folder, "video_name,tag\n1.avi,a\n2.avi,b\n", "train.csv")
    table(folder, "video_name,tag\n3.avi,b\n", "Val.csv")
    table(folder, "video_name,tag,split\n1.avi,a,\n", "test.csv")
    clips = Manifest.from_source(folder).clips()
    assert [(str(clip.video.relative_to(folder)), clip.split) for clip in clips] == [
        ("train/1.avi", "train"),
        ("train/2.avi", "train"),
        ("val/3.avi", "validation"),
        ("test/1.avi", "test"),
    ]


def test_two_tables_for_one_split_are_refused(touch: Touch) -> None:
    folder = touch("1.avi", "train.csv", "val.csv", "validation.csv")
    with pytest.raises(
        ManifestError, match=r"two tables for validation: val\.csv and validation\."
    ):
        Manifest.from_source(folder)


def test_a_split_column_may_not_contradict_its_file(touch: Touch) -> None:
    folder = touch("1.avi")
    table(folder, "video,label,split\n1.avi,a,test\n", "train.csv")
    with pytest.raises(ManifestError, match=r"train\.csv has rows whose split is test"):
        Manifest.from_source(folder)


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


def test_a_table_gives_each_image_sequence_its_rate(write: Write, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(f"{name}/000001.png")
    table = write("clips.csv", "video,label,fps\na,run,25\nb,wave,\n")
    assert [clip.fps for clip in Manifest.from_source(table, fps=10).clips()] == [25.0, 10.0]
    again = tmp_path / "again.csv"
    Manifest.from_source(table, fps=10).write_csv(again)
    assert [clip.fps for clip in Manifest.from_source(again).clips()] == [25.0, 10.0]
    with pytest.raises(ManifestError, match=r"fps must be more than 0; row 2 has '0'"):
        Manifest.from_source(write("clips.csv", "video,label,fps\na,run,0\n"))


def test_a_name_that_no_file_can_have_is_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "1.mp4").touch()
    table = tmp_path / "list.csv"
    table.write_text(f"video,label\n1.mp4,a\n{'x' * 5000}.mp4,b\n")
    manifest = Manifest.from_source(table)
    assert len(manifest.table) == 2
    assert any("1 of 2" in note for note in manifest.notes), manifest.notes


def test_a_cell_beyond_all_measure_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("video," + "x" * 200_000 + "\n1.mp4,a\n")
    with pytest.raises(ManifestError, match=r"list\.csv is not well-formed CSV at row \d: field l"):
        read_table(path)
