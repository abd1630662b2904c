"""`vidclass features`: the whole of what is printed, exit codes, and that it asks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from vidclass.cli.main import app
from vidclass.features.store.store import FeatureStore
from vidclass.types import ClipFeatures

FIRST, SECOND = "a" * 32, "b" * 32
DESCRIPTION = {
    "backbone": "efficientnet_lite0",
    "weights": "random",
    "sampling": {"policy": "uniform", "frames": 20},
    "geometry": {"size": 224, "crop": "centre"},
    "precision": "bf16",
}


def fill(folder: Path, settings: str, *, clips: int, description: str) -> Path:
    store = FeatureStore(folder, settings=settings, width=4, description=description)
    rows = {}
    for number in range(clips):
        clip = ClipFeatures(np.full((5, 4), 1 + number, np.float16), np.arange(5) / 2)
        rows[f"{number:032x}"] = (f"{number}.avi", clip)
    store.append(rows)
    return folder / f"{settings}.v2.lance"


def run(*arguments: object, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["features", *map(str, arguments)], input=answer)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two settings: one of today, and one that was last used in 1970."""
    monkeypatch.setenv("COLUMNS", "120")
    folder = tmp_path / "store"
    fill(folder, FIRST, clips=3, description=json.dumps(DESCRIPTION))
    old = fill(folder, SECOND, clips=2, description="{}")
    for path in (old, old / "_versions", old.with_suffix(".json")):
        os.utime(path, (0, 0))
    return folder


def rows_of(result: Result) -> list[list[str]]:
    lines = [line for line in result.stdout.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_list(store: Path) -> None:
    done = run("list", "--store", store)
    assert (done.exit_code, done.stderr) == (0, "")
    first, second = rows_of(done)
    assert first[:4] == ["aaaaaaaa", "efficientnet_lite0", "20 uniform 224 centre bf16 random", "3"]
    assert first[4].endswith(" kB")
    assert (second[0], second[1], second[2], second[3]) == ("bbbbbbbb", "?", "?", "2")
    assert second[5] in ("1970-01-01", "1969-12-31")
    assert done.stdout.splitlines()[-1].endswith(f" kB in {store}")


def test_list_of_odd_tables(store: Path) -> None:
    (store / f"{FIRST}.lance").mkdir()
    for file in (store / f"{SECOND}.v2.lance" / "_versions").iterdir():
        file.write_bytes(b"")
    tables = {(row[0], row[3]) for row in rows_of(run("list", "--store", store))}
    assert tables == {("aaaaaaaa", "3"), ("aaaaaaaa", "format 1"), ("bbbbbbbb", "damaged")}


def test_list_as_json(store: Path) -> None:
    done = run("list", "--store", store, "--json", "-")
    written = json.loads(done.stdout)
    assert (written["schema"], written["store"], len(written["tables"])) == (1, str(store), 2)
    table = written["tables"][0]
    assert list(table) == ["settings", "path", "format", "config", "clips", "bytes", "last_used"]
    assert (table["settings"], table["clips"], table["format"]) == (FIRST, 3, 2)
    assert table["config"] == DESCRIPTION
    assert written["tables"][1]["last_used"] == "1970-01-01T00:00:00+00:00"
    file = store.parent / "list.json"
    done = run("list", "--store", store, "--json", file)
    assert json.loads(file.read_text()) == written
    assert len(rows_of(done)) == 2


def test_the_default_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path))
    assert run("list").stdout.endswith(f"0 bytes in {tmp_path / 'features'}\n")


def test_verify_whole_tables(store: Path) -> None:
    fill(store, FIRST, clips=1, description="{}")
    (store / f"{FIRST}.lance").mkdir()
    done = run("verify", "--store", store)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{FIRST}: 3 clips are whole (1 stored twice)",
        f"{SECOND}: 2 clips are whole",
        f"{FIRST}: not checked, of store format 1",
        "2 of 2 tables are whole",
    ]


def damage(table: Path) -> None:
    [data] = (table / "data").iterdir()
    content = bytearray(data.read_bytes())
    content[content.index(np.float16(2).tobytes() * 4)] ^= 1
    data.write_bytes(content)


def test_verify_names_damage_and_fails(store: Path) -> None:
    damage(store / f"{FIRST}.v2.lance")
    done = run("verify", "--store", store)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{FIRST}: 2 clips are whole",
        f"  damaged: row 1, the clip {1:032x} of 1.avi: its checksum does not match",
        f"{SECOND}: 2 clips are whole",
        "1 of 2 tables are whole",
        "`vidclass features prune --damaged` removes what is damaged: extract it again",
    ]


def test_prune_wants_to_know_what(store: Path) -> None:
    done = run("prune", "--store", store)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "error: nothing was chosen: give --older-than DAYS, --settings FINGERPRINT or --damaged\n"
    )
    done = run("prune", "--store", store, "--settings", "c")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --settings 'c' fits 0 of the stored settings; there are")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_prune_asks_first(store: Path, answer: str) -> None:
    before = sorted(store.rglob("*"))
    done = run("prune", "--store", store, "--older-than", "0", answer=answer)
    assert done.exit_code == 1
    assert len(rows_of(done)) == 2
    assert "Remove these for good and free " in done.stderr
    assert sorted(store.rglob("*")) == before


def tables(store: Path) -> list[str]:
    return sorted(path.name[0] for path in store.iterdir() if path.suffix == ".lance")


def test_prune_what_was_not_used_for_long(store: Path) -> None:
    done = run("prune", "--store", store, "--older-than", "30", answer="y\n")
    assert (done.exit_code, tables(store)) == (0, ["a"])
    assert [row[0] for row in rows_of(done)] == ["bbbbbbbb"]
    assert done.stdout.splitlines()[-1].endswith(" kB freed")
    done = run("prune", "--store", store, "--older-than", "30")
    assert (done.exit_code, done.stdout) == (0, "there is nothing to remove\n")


def test_prune_settings(store: Path) -> None:
    done = run("prune", "--store", store, "--settings", "aaaa", "--yes")
    assert (done.exit_code, done.stderr, tables(store)) == (0, "", ["b"])


def test_prune_damaged(store: Path) -> None:
    damage(store / f"{FIRST}.v2.lance")
    done = run("prune", "--store", store, "--damaged", "-y")
    assert (done.exit_code, tables(store)) == (0, ["b"])
    assert [row[0] for row in rows_of(done)] == ["aaaaaaaa"]


def test_prune_leftovers(store: Path) -> None:
    left = store / f".{FIRST}.v2.lance.abc"
    left.mkdir()
    os.utime(left, (0, 0))
    done = run("prune", "--store", store, "--damaged", "--yes")
    assert done.stdout.splitlines() == ["1 leftover of processes that were killed", "0 bytes freed"]
    assert not left.exists()
    assert tables(store) == ["a", "b"]
