"""Words of messages."""

from __future__ import annotations

from vidclass._core.text import counted, did_you_mean, listed


def test_counts_and_lists() -> None:
    assert (counted(1, "class"), counted(2, "class"), counted(2, "clip")) == (
        "1 class",
        "2 classes",
        "2 clips",
    )
    assert listed("abc") == "a, b, c"
    assert listed("abc", most=2) == "a, b and 1 more"
    assert did_you_mean("zzz", ["train"]) == ""
