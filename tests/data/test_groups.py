"""Groups from a column, names, a pattern or folders, and merging them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidclass.data.groups import components, fill_groups, group_ids, group_in_name
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ConfigError, ManifestError


def rows_of(
    videos: Sequence[str], groups: Sequence[str | None] = (), labels: Sequence[str] = ()
) -> Rows:
    return Rows.from_columns(
        {
            "video": [f"/data/set/{video}" for video in videos],
            "label": labels or [video.split("/")[0] for video in videos],
            "group": groups or [None] * len(videos),
        }
    )


def groups_of(rows: Rows) -> list[str | None]:
    return rows.table["group"].to_list()


NESTED = ["run/p1/a.avi", "run/p2/a.avi", "walk/p1/b.avi", "walk/c.avi"]


def test_a_pattern_is_searched_for_below_the_common_folder() -> None:
    filled = fill_groups(rows_of(NESTED), pattern=r"^\w+/(p\d)/")
    assert groups_of(filled) == ["p1", "p2", "p1", None]
    assert filled.notes == (
        "2 groups of 3 clips taken from the pattern.",
        "the groups of 1 clips are unknown: clips cut from one recording may land on both sides "
        "of a split; add a column 'group', or choose with `groups`.",
    )
    assert groups_of(fill_groups(rows_of(["x/s1_1.avi", "x/s1_2.avi"]), pattern="^(s.)_")) == [
        "s1",
        "s1",
    ]


def test_an_empty_find_is_no_group() -> None:
    filled = fill_groups(rows_of(["a/1.avi", "a/p2.avi", "b/3.avi"]), pattern=r"(p?)\d\.avi")
    assert groups_of(filled) == [None, "p", None]
    filled = fill_groups(rows_of(["a/1.avi", "b/p2.avi"]), pattern=r"/(p)?\d")
    assert groups_of(filled) == [None, "p"]


@pytest.mark.parametrize(
    ("pattern", "groups", "message"),
    [
        ("(", "auto", r"group_pattern='\(' is not a regular expression: missing \)"),
        ("a", "auto", r"'a' has 0 pairs of parentheses: one is needed, around the group, as in"),
        ("(a)(b)", "near-duplicates", r"'\(a\)\(b\)' has 2 pairs of parentheses"),
        ("(a)", "parent", r"group_pattern='\(a\)' has no use with groups='parent'"),
        ("(a)", "none", r"group_pattern='\(a\)' has no use with groups='none'"),
        (None, "parents", r"groups='parents' is not one of .* Did you mean 'parent'\?"),
    ],
)
def test_patterns_that_cannot_be(pattern: str | None, groups: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fill_groups(rows_of(NESTED), groups=groups, pattern=pattern)


def test_a_pattern_that_finds_nothing_names_what_it_was_tried_on() -> None:
    message = r"'\(q\\\\d\)' finds no group in 'run/p1/a.avi', 'run/p2/a.avi', .* and 1 more\."
    with pytest.raises(ManifestError, match=message):
        fill_groups(rows_of(NESTED), pattern=r"(q\d)")


def test_folders_below_those_of_the_classes_are_groups() -> None:
    filled = fill_groups(rows_of(NESTED), groups="parent")
    assert groups_of(filled) == ["p1", "p2", "p1", None]
    assert filled.notes[0] == "2 groups of 3 clips taken from the folders of the videos."
    flat = rows_of(["run/a.avi", "walk/b.avi", "c.avi", "both/d.avi"], labels=["run", "walk"] * 2)
    assert groups_of(fill_groups(flat, groups="parent")) == [None, None, None, "both"]


def test_no_folder_below_those_of_the_classes() -> None:
    message = r"groups='parent': no video lies in a folder below that of its class: 'run/a\.avi'"
    several = rows_of(["run/a.avi", "walk/b.avi"], labels=["run|wave", "walk"])
    with pytest.raises(ManifestError, match=message):
        fill_groups(several, groups="parent")


def test_asking_for_other_groups_sets_given_ones_aside_and_says_so() -> None:
    rows = rows_of(["a/x/v_g01_c01.avi", "a/y/v_g01_c02.avi"], ["g", "g"], ["a", "a"])
    by_folder = fill_groups(rows, groups="parent")
    assert groups_of(by_folder) == ["x", "y"]
    assert by_folder.notes[0] == "the given groups are not used."
    # Asked for again, nothing changes and nothing more is said.
    assert "the given groups are not used." not in fill_groups(by_folder, groups="parent").notes[1:]
    alone = fill_groups(rows, groups="none")
    assert groups_of(alone) == [None, None]
    assert alone.notes[0].startswith("groups are ignored: each video is its own group")
    for groups in ("auto", "near-duplicates"):
        assert groups_of(fill_groups(rows, groups=groups)) == ["g", "g"]


def test_a_manifest_can_be_regrouped() -> None:
    manifest = Manifest(rows_of(NESTED).table, ("read.",))
    assert manifest.regrouped(groups="near-duplicates") is manifest
    once = manifest.regrouped(groups="parent")
    assert once.table["group"].to_list() == ["p1", "p2", "p1", None]
    twice = once.regrouped(groups="parent")
    assert (twice.table.equals(once.table), twice.notes) == (True, once.notes)
    pattern = manifest.regrouped(groups="auto", group_pattern=r"(p\d)/")
    assert pattern.table["group"].to_list() == ["p1", "p2", "p1", None]


def test_a_video_takes_its_group_along_wherever_it_is_listed() -> None:
    table = rows_of(["a.avi", "a.avi", "b.avi", "c.avi"], ["g", None, "g", None], ["x"] * 4).table
    assert group_ids(table).to_list() == ["group: g"] * 3 + ["video: /data/set/c.avi"]


def test_uniting_joins_groups_and_names_the_result() -> None:
    names = ["1", "2", "3", "4", "5", "6", "7"]
    table = rows_of(names, ["g", "h", None, None, None, "k", None], ["x"] * 7).table
    key = pl.Series(["s", "s", "t", "t", "u", "v", "v"])
    merged, clips = Manifest(table).with_merged_groups(key, name=lambda video: f"like {video[-1]}")
    assert merged.table["group"].to_list() == ["g + h", "g + h", "like 3", "like 3", None, "k", "k"]
    assert clips == 6


def test_names_of_joined_groups_are_short_and_not_taken() -> None:
    videos = [str(number) for number in range(8)]
    table = rows_of(videos, [*"abcde", "new", None, None], ["x"] * 8).table
    merged, _ = Manifest(table).with_merged_groups(
        pl.Series([1] * 5 + [2, 3, 3]), name=lambda _: "new"
    )
    assert merged.table["group"].to_list() == ["a + b + c and 2 more"] * 5 + [
        "new",
        "new (2)",
        "new (2)",
    ]


KEYS = st.lists(
    st.tuples(st.none() | st.sampled_from("abcd"), st.none() | st.integers(0, 4)), max_size=12
)


@given(KEYS)
def test_components_are_the_closure_of_shared_values(rows: list[tuple[str | None, int]]) -> None:
    columns = [
        pl.Series([row[0] for row in rows], dtype=pl.String),
        pl.Series([row[1] for row in rows], dtype=pl.Int64),
    ]
    expected = list(range(len(rows)))
    for _ in rows:
        for one, left in enumerate(rows):
            for other, right in enumerate(rows):
                if any(a is not None and a == b for a, b in zip(left, right, strict=True)):
                    expected[one] = expected[other] = min(expected[one], expected[other])
    numbers = components(*columns).to_list()
    assert len(numbers) == len(rows)
    for one in range(len(rows)):
        for other in range(len(rows)):
            assert (numbers[one] == numbers[other]) == (expected[one] == expected[other])


@given(st.randoms(use_true_random=False), KEYS)
def test_the_order_of_rows_does_not_matter_to_what_goes_together(
    random: object, rows: list[tuple[str | None, int]]
) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]

    def named(indices: list[int]) -> dict[int, str]:
        table = rows_of(
            [f"{index}.avi" for index in indices],
            [rows[index][0] for index in indices],
            ["x"] * len(indices),
        ).table
        key = pl.Series([rows[index][1] for index in indices], dtype=pl.Int64)
        merged, _ = Manifest(table).with_merged_groups(key, name=lambda video: f"like {video}")
        return dict(zip(indices, merged.group_ids, strict=True))

    assert named(order) == named(sorted(order))


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("/x/v_Diving_g01_c03.avi", "v_Diving_g01"),
        ("v_BounceLeft_g07_c02.mp4", "v_BounceLeft_g07"),
        ("v_shooting_01_01.avi", None),
        ("/a_g01_b/clip.mp4", None),
    ],
)
def test_group_in_name(name: str, group: str | None) -> None:
    assert group_in_name(name) == group
