"""Distinct values of files, the odd ones out, and what gives a class away."""

from __future__ import annotations

from inspected_clips import look_of, manifest_of
from vidclass.audit.properties import giveaways, odd_ones_out, property_tables


def test_tables_count_files_not_clips() -> None:
    looks = [look_of(0, fps=29.97), look_of(1), look_of(1), look_of(2), look_of(3, failed="gone")]
    tables = {one.name: one.values for one in property_tables(looks)}
    assert [(v.value, v.files) for v in tables["frames a second"]] == [("25", 2), ("29.97", 1)]
    assert tables["frames a second"][0].examples == ("/v/1.avi", "/v/2.avi")
    shown = {name: values[0].value for name, values in tables.items()}
    assert shown == {
        "size": "320x240", "frames a second": "25", "rate": "constant", "codec": "h264",
        "pixel format": "yuv420p", "rotation": "0 degrees", "audio": "no",
    }  # fmt: skip


def test_whole_rates_keep_their_zeros() -> None:
    tables = {one.name: one.values for one in property_tables([look_of(0, fps=50.0)])}
    assert tables["frames a second"][0].value == "50"


def test_the_odd_one_out() -> None:
    looks = [*(look_of(k) for k in range(9)), look_of(9, width=640, height=480)]
    [odd] = odd_ones_out(looks)
    assert (odd.kind, odd.severity, odd.rows, odd.details) == (
        "odd_size",
        "note",
        (9,),
        ("640x480",),
    )
    assert odd.title == "1 file of another size than 320x240, which 9 of 10 have"
    # Of nine, one is too large a share to be odd.
    assert not odd_ones_out(looks[1:])


def test_rates_are_never_odd() -> None:
    assert not odd_ones_out([*(look_of(k) for k in range(9)), look_of(9, fps=30.0)])


def test_a_codec_that_only_one_class_has() -> None:
    manifest = manifest_of(label=["a"] * 6 + ["b"] * 6)
    looks = [look_of(k, codec="av1" if k < 5 else "h264") for k in range(12)]
    [told] = giveaways(manifest, looks)
    assert told.severity == "warning"
    assert told.title == "1 value of file properties that nearly only one class has"
    assert told.details == ("codec av1: 5 of 5 clips are 'a', which has 6",)
    fewer = [look_of(k, codec="av1" if k < 4 else "h264") for k in range(12)]
    assert not giveaways(manifest, fewer)


def test_one_class_alone_is_no_giveaway() -> None:
    assert not giveaways(manifest_of(label=["a"] * 9), [look_of(k) for k in range(9)])
