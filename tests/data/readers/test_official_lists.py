"""The lists that come with UCF101, HMDB51 and Kinetics, written here as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, ManifestError

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file below the temporary folder; returns that folder."""

    def make(name: str, text: str = "") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return tmp_path

    return make


def rows(manifest: Manifest) -> list[tuple[str, str, str | None]]:
    return [(clip.video.name, clip.label, clip.split) for clip in manifest.clips()]


@pytest.fixture
def ucf101(write: Write) -> Path:
    """Two classes, two splits; the lists lie beside the class folders."""
    for label in ("ApplyEyeMakeup", "Diving"):
        for group in (1, 8):
            write(f"UCF-101/{label}/v_{label}_g{group:02}_c01.avi", "x")
    write("ucfTrainTestlist/classInd.txt", "1 ApplyEyeMakeup\r\n2 Diving\r\n")
    for split, (train, test) in {"01": (8, 1), "02": (1, 8)}.items():
        lines = [
            f"{label}/v_{label}_g{train:02}_c01.avi {number}"
            for number, label in enumerate(("ApplyEyeMakeup", "Diving"), 1)
        ]
        write(f"ucfTrainTestlist/trainlist{split}.txt", "\r\n".join(lines) + "\r\n")
        lines = [f"{name}/v_{name}_g{test:02}_c01.avi" for name in ("ApplyEyeMakeup", "Diving")]
        root = write(f"ucfTrainTestlist/testlist{split}.txt", "\n".join(lines))
    return root


def test_ucf101_gives_the_first_official_split(ucf101: Path) -> None:
    manifest = Manifest.from_source(ucf101 / "UCF-101")
    assert rows(manifest) == [
        ("v_ApplyEyeMakeup_g08_c01.avi", "ApplyEyeMakeup", "train"),
        ("v_Diving_g08_c01.avi", "Diving", "train"),
        ("v_ApplyEyeMakeup_g01_c01.avi", "ApplyEyeMakeup", "test"),
        ("v_Diving_g01_c01.avi", "Diving", "test"),
    ]
    assert all(clip.video.is_file() for clip in manifest.clips())
    assert manifest.notes[:2] == (
        "read as ucf101: the official lists of UCF101 (classInd.txt, trainlist01.txt, "
        "testlist01.txt).",
        "official split 1 of 1, 2.",
    )


@pytest.mark.parametrize("source", ["", "UCF-101", "ucfTrainTestlist"])
def test_ucf101_may_be_given_by_any_of_its_folders(ucf101: Path, source: str) -> None:
    root = None if source != "ucfTrainTestlist" else ucf101 / "UCF-101"
    manifest = Manifest.from_source(ucf101 / source, root=root, official_split=2)
    assert rows(manifest)[0] == ("v_ApplyEyeMakeup_g01_c01.avi", "ApplyEyeMakeup", "train")
    assert all(clip.video.is_file() for clip in manifest.clips())


def test_ucf101_without_such_a_split(ucf101: Path) -> None:
    with pytest.raises(ManifestError, match=r"official split 3; there are lists for 1, 2\."):
        Manifest.from_source(ucf101 / "UCF-101", official_split=3)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classInd.txt", "1 ApplyEyeMakeup\nDiving\n", r"classInd\.txt, row 2 must be a number"),
        (
            "trainlist01.txt",
            "Diving/v_Diving_g08_c01.avi 1",
            r"trainlist01\.txt, row 1: .* has the class number '1', which is 'ApplyEyeMakeup'",
        ),
        ("testlist01.txt", "v_Diving_g01_c01.avi", r"row 1: .* must be CLASS/VIDEO with a class"),
        ("testlist01.txt", "\n\n", r"testlist01\.txt is empty"),
    ],
)
def test_ucf101_lists_that_are_wrong(
    ucf101: Path, write: Write, name: str, text: str, message: str
) -> None:
    write(f"ucfTrainTestlist/{name}", text)
    with pytest.raises(ManifestError, match=message):
        Manifest.from_source(ucf101 / "UCF-101")


@pytest.fixture
def hmdb51(write: Write) -> Path:
    for label in ("brush_hair", "wave"):
        for number in range(3):
            write(f"{label}/{label}_{number}.avi", "x")
        write(
            f"test_train_splits/{label}_test_split1.txt",
            f"{label}_0.avi 1 \n{label}_1.avi 2 \n{label}_2.avi 0 \n",
        )
        root = write(
            f"test_train_splits/{label}_test_split2.txt", f"{label}_0.avi 2 \n{label}_1.avi 1 \n"
        )
    return root


def test_hmdb51_gives_a_split_and_counts_what_it_leaves_out(hmdb51: Path) -> None:
    manifest = Manifest.from_source(hmdb51)
    assert rows(manifest) == [
        ("brush_hair_0.avi", "brush_hair", "train"),
        ("brush_hair_1.avi", "brush_hair", "test"),
        ("wave_0.avi", "wave", "train"),
        ("wave_1.avi", "wave", "test"),
    ]
    assert all(clip.video.is_file() for clip in manifest.clips())
    assert "2 clips not used by this split left out." in manifest.notes
    second = Manifest.from_source(hmdb51 / "test_train_splits", root=hmdb51, official_split=2)
    assert rows(second)[0] == ("brush_hair_0.avi", "brush_hair", "test")


def test_hmdb51_that_is_wrong(hmdb51: Path, write: Write) -> None:
    with pytest.raises(ManifestError, match=r"no files of the official split 9; .* of 1, 2\."):
        Manifest.from_source(hmdb51, official_split=9)
    write("test_train_splits/wave_test_split1.txt", "wave_0.avi 1\nwave_1.avi 3\n")
    with pytest.raises(
        ManifestError, match=r"wave_test_split1\.txt, row 2 must be a video and 0, 1 or 2: 'wave_1"
    ):
        Manifest.from_source(hmdb51)


KINETICS = "label,youtube_id,time_start,time_end,split\n"


def test_kinetics_takes_cut_clips_whole_and_spans_of_whole_videos(write: Write) -> None:
    write("train/riding a bike/aaaaaaaaaaa_000010_000020.mp4", "x")
    write("train/air_drumming/bbbbbbbbbbb.webm", "x")
    write("ccccccccccc_5_15.mkv", "x")
    root = write(
        "kinetics_train.csv",
        KINETICS + "riding a bike,aaaaaaaaaaa,10,20,train\n"
        "air drumming,bbbbbbbbbbb,3,13,train\n"
        '"riding a bike",ccccccccccc,5,15,\n'
        "air drumming,ddddddddddd,0,10,train\n",
    )
    manifest = Manifest.from_source(root / "kinetics_train.csv")
    clips = manifest.clips()
    assert [clip.video.name for clip in clips] == [
        "aaaaaaaaaaa_000010_000020.mp4",
        "bbbbbbbbbbb.webm",
        "ccccccccccc_5_15.mkv",
        "ddddddddddd_000000_000010.mp4",
    ]
    assert [(clip.span.start_s, clip.span.stop_s) for clip in clips] == [
        (0.0, None),
        (3.0, 13.0),
        (0.0, None),
        (0.0, None),
    ]
    assert {clip.split for clip in clips} == {"train"}  # the third, from the file's name
    assert clips[1].group == "bbbbbbbbbbb"
    assert any("1 of 4 listed videos are not there" in note for note in manifest.notes)
    assert manifest.notes[0].startswith("read as kinetics: a Kinetics CSV (label, youtube_id")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("youtube_id,time_start,time_end\na,1,2\n", r"has no labels, as the lists of Kinetics's t"),
        (KINETICS + "a,b,x,2,train\n", r"row 2: time_start must be a number of seconds, found 'x'"),
        (KINETICS + "a,b,5,2,train\n", r"row 2: a span must have 0 <= time_start < time_end"),
        (KINETICS + "a,b,nan,2,train\n", r"time_start must be a number of seconds"),
        (KINETICS + "a,b,1,2,held-out\n", r"row 2: split must be train, val or test, found 'held"),
        (KINETICS + ",b,1,2,train\n", r"row 2 has no label or no youtube_id"),
    ],
)
def test_kinetics_that_is_wrong(write: Write, text: str, message: str) -> None:
    root = write("list.csv", text)
    with pytest.raises(ManifestError, match=message):
        Manifest.from_source(root / "list.csv")


def test_videofolder_with_a_table_for_each_split(write: Write) -> None:
    write("train/a.mp4", "x")
    write("train/b.mp4", "x")
    write("train/metadata.csv", "file_name,label\na.mp4,run\nb.mp4,wave\n")
    write("validation/c.mp4", "x")
    root = write("validation/metadata.jsonl", '{"file_name": "c.mp4", "label": "run"}\n')
    manifest = Manifest.from_source(root)
    assert rows(manifest) == [
        ("a.mp4", "run", "train"),
        ("b.mp4", "wave", "train"),
        ("c.mp4", "run", "validation"),
    ]
    assert manifest.notes[0].startswith("read as videofolder: a Hugging Face videofolder")


def test_videofolder_with_one_table_and_with_two(write: Write) -> None:
    write("clips/a.mp4", "x")
    root = write("metadata.csv", "file_name,label\nclips/a.mp4,run\n")
    assert rows(Manifest.from_source(root)) == [("a.mp4", "run", None)]
    write("metadata.jsonl", '{"file_name": "clips/a.mp4", "label": "run"}\n')
    with pytest.raises(ManifestError, match=r"has two tables: metadata\.csv and metadata\.jsonl"):
        Manifest.from_source(root)


def test_a_format_can_be_forced_and_must_fit(ucf101: Path, write: Write) -> None:
    manifest = Manifest.from_source(ucf101 / "UCF-101", format="folder")
    assert {clip.split for clip in manifest.clips()} == {None}
    with pytest.raises(ConfigError, match=r"format='hmdb' is not one of .* mean 'hmdb51'\?"):
        Manifest.from_source(ucf101, format="hmdb")
    with pytest.raises(
        ManifestError, match=r"cannot be read as hmdb51, .*\. It looks like ucf101: the official"
    ):
        Manifest.from_source(ucf101, format="hmdb51")
    with pytest.raises(ManifestError, match=r"cannot be read as kinetics, a Kinetics CSV"):
        Manifest.from_source(write("x.pdf", "") / "x.pdf", format="kinetics")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"official_split": 2}, r"official_split=2 means nothing for .*, read as folder: it is "),
        (
            {"multi_label": True},
            r"multi_label=True means nothing .* for label_studio, .*table",
        ),
        ({"fps": 0.0}, r"fps=0\.0 must be more than 0 and at most 1000"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    write: Write, options: dict[str, object], message: str
) -> None:
    root = write("clips/a/1.mp4", "x")
    with pytest.raises(ConfigError, match=message):
        Manifest.from_source(root / "clips", **options)  # type: ignore[arg-type]


def test_files_of_options_must_exist(write: Write) -> None:
    root = write("clips/a/1.mp4", "x")
    with pytest.raises(ManifestError, match=r"labels='no\.txt' is not a file"):
        Manifest.from_source(root / "clips", labels="no.txt")
