"""Rows without duplicates and with merged labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidclass.data.manifest import Manifest
from vidclass.errors import ManifestError

Write = Callable[..., Path]


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


def test_rows_are_merged_only_on_demand(write: Write) -> None:
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
