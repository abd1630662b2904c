"""The CSV files of Kinetics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError

Add = Callable[..., Path]

KINETICS = "label,youtube_id,time_start,time_end,split\n"


def rows(manifest: Manifest) -> list[tuple[str, str, str | None]]:
    return [(clip.video.name, clip.label, clip.split) for clip in manifest.clips()]


def test_kinetics_takes_cut_clips_whole_and_spans_of_whole_videos(add: Add) -> None:
    add("train/riding a bike/aaaaaaaaaaa_000010_000020.mp4", "x")
    add("train/air_drumming/bbbbbbbbbbb.webm", "x")
    add("ccccccccccc_5_15.mkv", "x")
    root = add(
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
        # With the delimiter that gives `label`, the other names are one column.
        ("label|x,youtube_id,time_start,time_end\na|b,c,1,2\n", r"has no column 'youtube_id', 'ti"),
    ],
)
def test_kinetics_that_is_wrong(add: Add, text: str, message: str) -> None:
    root = add("list.csv", text)
    with pytest.raises(ManifestError, match=message):
        Manifest.from_source(root / "list.csv")
