"""Maintenance lists stored tables, finds damage, and removes only what is chosen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest

from vidclass.errors import ConfigError, StoreError
from vidclass.features.store import maintenance
from vidclass.features.store import table as table_module
from vidclass.features.store.maintenance import (
    StoredTable,
    leftovers,
    remove,
    size_of,
    stored_tables,
    tables_of_settings,
    verify_table,
)
from vidclass.features.store.store import FeatureStore
from vidclass.features.store.table import STORE_FORMAT
from vidclass.types import ClipFeatures

FIRST, SECOND = "a" * 32, "b" * 32


def key(number: int) -> str:
    return f"{number:032x}"


def fill(folder: Path, settings: str = FIRST, *, clips: int = 3, start: int = 0) -> FeatureStore:
    store = FeatureStore(folder, settings=settings, width=4, description='{"backbone": "x"}')
    for number in range(start, start + clips):
        features = np.full((5, 4), number, np.float16)
        store.append({key(number): (f"{number}.avi", ClipFeatures(features, np.arange(5) / 2))})
    return store


def path_of(folder: Path, settings: str = FIRST) -> Path:
    return folder / f"{settings}.v{STORE_FORMAT}.lance"


def only(folder: Path) -> StoredTable:
    [table] = stored_tables(folder)
    return table


def test_tables_are_listed(tmp_path: Path) -> None:
    fill(tmp_path, FIRST)
    fill(tmp_path, SECOND, clips=2)
    for settings, age_s in ((FIRST, 100), (SECOND, 5000)):
        for file in (path_of(tmp_path, settings).with_suffix(".json"), path_of(tmp_path, settings)):
            os.utime(file, (time.time() - age_s,) * 2)
        os.utime(path_of(tmp_path, settings) / "_versions", (0, 0))
    first, second = stored_tables(tmp_path)
    assert (first.settings, first.clips, first.format, first.current) == (FIRST, 3, 2, True)
    assert (second.settings, second.clips, second.config) == (SECOND, 2, {"backbone": "x"})
    assert first.size_bytes == sum(
        file.stat().st_size for file in first.path.rglob("*") if file.is_file()
    )
    assert timedelta(seconds=4999) < datetime.now(UTC) - second.last_used < timedelta(seconds=5100)


def test_other_files_are_not_listed(tmp_path: Path) -> None:
    fill(tmp_path)
    for name in ("other.lance", f"{SECOND}.v2.lance.old", f".{SECOND}.v2.lance.x", "c" * 32):
        (tmp_path / name).mkdir()
    (tmp_path / f"{SECOND}.v2.lance").write_text("a file")
    assert only(tmp_path).settings == FIRST


def test_an_older_format_is_listed(tmp_path: Path) -> None:
    old = pa.table({"key": ["a"], "features": [1.0]})
    lance.write_dataset(old, str(tmp_path / f"{FIRST}.lance"))
    table = only(tmp_path)
    assert (table.settings, table.format, table.current, table.clips) == (FIRST, 1, False, 1)
    assert table.config == {}


@pytest.mark.parametrize("text", ["no json", "[1]"])
def test_settings_that_cannot_be_read_are_left_out(tmp_path: Path, text: str) -> None:
    fill(tmp_path)
    path_of(tmp_path).with_suffix(".json").write_text(text)
    assert only(tmp_path).config == {}


def test_there_may_be_no_folder_but_no_file_in_its_place(tmp_path: Path) -> None:
    assert stored_tables(tmp_path / "none") == leftovers(tmp_path / "none") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StoreError, match=r"cannot list the feature store .*file: Not a dir.*`store_folder`"
    ):
        stored_tables(tmp_path / "file")


def test_an_intact_table(tmp_path: Path) -> None:
    fill(tmp_path, clips=100)
    fill(tmp_path, clips=2)
    reports: list[tuple[str, int, int]] = []
    check = verify_table(only(tmp_path), lambda *step: reports.append(step))
    assert (check.intact, check.duplicates, check.problems) == (100, 2, ())
    assert reports == [("verify", 64, 102), ("verify", 102, 102)]


def put(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Append a row with changed values, and a matching checksum unless that was changed."""
    fill(folder, clips=1)
    row = lance.dataset(str(path_of(folder))).take([0]).to_pylist()[0]
    row["key"] = key(9)
    row["checksum"] = None
    change(row)
    if row["checksum"] is None and row["features"] is not None:
        features = np.array(row["features"], np.float16)
        times = np.array(row["timestamps_s"], np.float64)
        if len(times) == len(features):
            clip = ClipFeatures(features, times)
            row["checksum"] = table_module.checksum_of(row["key"], clip)
    schema = table_module.schema_of(4)
    rows = pa.Table.from_pylist([row], schema=schema)
    lance.write_dataset(rows, str(path_of(folder)), mode="append")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda row: row.update(key="no key"),
            "row 1, the clip no key of 0.avi: its key is not",
        ),
        (lambda row: row.update(checksum=7), "row 1, .*: its checksum does not match"),
        (lambda row: row["features"][2].__setitem__(1, np.nan), "its features are not all finite"),
        (lambda row: row["timestamps_s"].__setitem__(1, 9.0), "its times do not increase"),
        (lambda row: row["timestamps_s"].__setitem__(1, np.nan), "its times do not increase"),
        (lambda row: row["timestamps_s"].pop(), "row 1 is damaged: 5 features but timestamps"),
        (lambda row: row.update(features=None), "row 1 is damaged: "),
    ],
)
def test_every_kind_of_damage_is_found(tmp_path: Path, change: Any, problem: str) -> None:
    put(tmp_path, change)
    check = verify_table(only(tmp_path))
    assert (check.intact, check.duplicates, len(check.problems)) == (1, 0, 1)
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(check.problems[0])


def test_a_missing_data_file_costs_only_its_clips(tmp_path: Path) -> None:
    fill(tmp_path, clips=3)
    sorted((path_of(tmp_path) / "data").iterdir())[0].unlink()
    check = verify_table(only(tmp_path))
    assert check.intact == 0
    assert check.problems[0].startswith("rows 0 to 2 cannot be read: ")
    assert "\n" not in check.problems[0]
    assert ".rs:" not in check.problems[0]


def test_the_first_problems_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    for _ in range(7):
        put(tmp_path, lambda row: row.update(checksum=1))
    check = verify_table(only(tmp_path))
    assert len(check.problems) == 6
    assert check.problems[-1] == "... and 2 more problems"


@pytest.mark.parametrize("names", ["_versions", "data"])
def test_a_table_that_cannot_be_opened_is_a_problem(tmp_path: Path, names: str) -> None:
    fill(tmp_path)
    for file in (path_of(tmp_path) / names).iterdir():
        os.truncate(file, 5)
    table = only(tmp_path)
    assert table.clips == (None if names == "_versions" else 3)
    check = verify_table(table)
    assert check.intact == 0
    assert "cannot " in check.problems[0]


@pytest.mark.parametrize("function", ["dataset", "take"])
def test_ctrl_c_goes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    fill(tmp_path)
    table = only(tmp_path)
    monkeypatch.setattr(maintenance if function == "take" else lance, function, interrupt)
    with pytest.raises(KeyboardInterrupt):
        verify_table(table)
    if function == "dataset":
        with pytest.raises(KeyboardInterrupt):
            stored_tables(tmp_path)


def test_leftovers_are_the_stores_and_a_day_old(tmp_path: Path) -> None:
    fill(tmp_path)
    ours = [f".{FIRST}.v2.lance.x1y2", f".{SECOND}.lance.77", f".{FIRST}.v2.123.tmp.json"]
    for name in [*ours, ".git", ".x.lance.y", f".{FIRST}.json"]:
        (tmp_path / name).mkdir()
    assert leftovers(tmp_path) == []
    later = datetime.now(UTC) + timedelta(days=1, hours=1)
    assert sorted(path.name for path in leftovers(tmp_path, now=later)) == sorted(ours)


def test_a_setting_is_chosen_by_the_start_of_its_fingerprint(tmp_path: Path) -> None:
    other = FIRST[:-1] + "c"
    for settings in (FIRST, SECOND, other):
        fill(tmp_path, settings, clips=1)
    (tmp_path / f"{SECOND}.lance").mkdir()
    tables = stored_tables(tmp_path)
    assert [table.settings for table in tables_of_settings(tables, FIRST)] == [FIRST]
    assert [table.format for table in tables_of_settings(tables, "b")].count(1) == 1
    for wrong, count in (("aa", 2), ("d", 0), ("", 3)):
        message = (
            f"settings='{wrong}' fits {count} of the stored settings; there are {FIRST}, {other}"
        )
        with pytest.raises(ConfigError, match=message):
            tables_of_settings(tables, wrong)
    with pytest.raises(ConfigError, match="there are none"):
        tables_of_settings([], "a")


def test_removing(tmp_path: Path) -> None:
    fill(tmp_path, FIRST)
    fill(tmp_path, SECOND)
    rest = tmp_path / f".{FIRST}.v2.lance.left"
    rest.mkdir()
    (rest / "file").write_text("x")
    note = tmp_path / f".{FIRST}.v2.9.tmp.json"
    note.write_text("x")
    remove([path_of(tmp_path), rest, note])
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"{SECOND}.v2.json", f"{SECOND}.v2.lance"]
    assert fill(tmp_path, FIRST).missing([key(0)]) == set()


def test_a_table_that_cannot_be_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    fill(tmp_path)
    monkeypatch.setattr(maintenance.shutil, "rmtree", deny)
    with pytest.raises(StoreError, match=r"cannot remove .*lance.*: Permission denied\. Chang"):
        remove([path_of(tmp_path)])


def test_files_may_vanish_while_sizes_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("12345")
    monkeypatch.setattr(os, "walk", lambda _: [(str(tmp_path), [], ["a", "gone"])])
    assert size_of(tmp_path) == size_of(tmp_path / "a") == 5
