"""Distinct values of file properties, outliers, and values that give a class away."""

from __future__ import annotations

from inspected_clips import inspected, manifest_of
from vidclass.audit.properties import file_properties, giveaway_issues, outlier_issues


def test_tables_count_files_not_clips() -> None:
    inspections = [
        inspected(0, fps=29.97),
        inspected(1),
        inspected(1),
        inspected(2),
        inspected(3, failed="gone"),
    ]
    tables = {one.name: one.values for one in file_properties(inspections)}
    assert [(v.value, v.files) for v in tables["frames a second"]] == [("25", 2), ("29.97", 1)]
    assert tables["frames a second"][0].examples == ("/v/1.avi", "/v/2.avi")
    shown = {name: values[0].value for name, values in tables.items()}
    assert shown == {
        "size": "320x240",
        "frames a second": "25",
        "rate": "constant",
        "codec": "h264",
        "pixel format": "yuv420p",
        "rotation": "0 degrees",
        "audio": "no",
    }


def test_whole_rates_keep_their_zeros() -> None:
    tables = {one.name: one.values for one in file_properties([inspected(0, fps=50.0)])}
    assert tables["frames a second"][0].value == "50"


def test_an_outlier() -> None:
    inspections = [*(inspected(k) for k in range(9)), inspected(9, width=640, height=480)]
    [outlier] = outlier_issues(inspections)
    assert (outlier.kind, outlier.severity, outlier.rows, outlier.details) == (
        "odd_size",
        "note",
        (9,),
        ("640x480",),
    )
    assert outlier.title == "1 file of another size than 320x240, which 9 of 10 have"
    # One of nine is too large a share for an outlier.
    assert not outlier_issues(inspections[1:])


def test_rates_are_never_outliers() -> None:
    assert not outlier_issues([*(inspected(k) for k in range(9)), inspected(9, fps=30.0)])


def test_a_codec_that_only_one_class_has() -> None:
    manifest = manifest_of(label=["a"] * 6 + ["b"] * 6)
    inspections = [inspected(k, codec="av1" if k < 5 else "h264") for k in range(12)]
    [issue] = giveaway_issues(manifest.table["label"].to_list(), inspections)
    assert issue.severity == "warning"
    assert issue.title == "1 value of file properties that nearly only one class has"
    assert issue.details == ("codec av1: 5 of 5 clips are 'a', which has 6",)
    fewer = [inspected(k, codec="av1" if k < 4 else "h264") for k in range(12)]
    assert not giveaway_issues(manifest.table["label"].to_list(), fewer)


def test_one_class_alone_is_no_giveaway() -> None:
    assert not giveaway_issues(["a"] * 9, [inspected(k) for k in range(9)])
