"""`vidclass data check`: what is printed and written, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tiny_set import write_set
from vidclass.cli.check_tables import long_time
from vidclass.cli.main import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of three clips, and a file that is no video."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    write_set(tmp_path / "set", groups=3)
    (tmp_path / "set" / "dark" / "v_dark_g00_c02.avi").write_bytes(b"")
    return tmp_path / "set"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", "check", *map(str, arguments)])


def test_what_is_printed(folder: Path) -> None:
    done = run(folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "7 clips, 7 files, 2 classes, 6 groups, 5 s"
    assert "error: 1 clip that cannot be read: the file is empty (0 bytes)" in done.stdout
    assert "  v_dark_g00_c02.avi" in done.stdout
    assert "│ light │     3 │      3 │        │   0.8 │    0.8 │  0.8 │" in done.stdout
    assert "│ size            │ 64x48 (6)" in done.stdout
    assert "skipped: 3 frames of each clip were decoded" in done.stdout
    assert done.stderr.splitlines()[-1] == "6 ok, 1 failed"


def test_a_page_json_and_the_ledger_beside(folder: Path, tmp_path: Path) -> None:
    page, record = tmp_path / "page.html", tmp_path / "check.json"
    done = run(folder, "--report", page, "--json", record)
    ledger = tmp_path / "page.html.ledger.jsonl"
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[-1] == f"6 ok, 1 failed (listed in {ledger})"
    assert f"page: {page}" in done.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "not searched for, which --deep does." in page.read_text(encoding="utf-8")
    assert json.loads(record.read_text(encoding="utf-8"))["failed"] == 1
    again = run(folder, "--ledger", ledger)
    assert "│ the file is empty (0 bytes) │      1 │            0 │" in again.stdout


def test_json_alone_on_standard_output(folder: Path) -> None:
    done = run(folder, "--json", "-")
    assert json.loads(done.stdout)["schema"] == 1


def test_strict(folder: Path) -> None:
    assert run(folder, "--strict").exit_code == 1
    (folder / "dark" / "v_dark_g00_c02.avi").unlink()
    done = run(folder, "--strict")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (0, "6 ok, 0 failed")
    assert "no issues" in done.stdout


def test_labels_are_no_markup(folder: Path) -> None:
    (folder / "dark").rename(folder / "[red]dark")
    assert "│ [red]dark │" in run(folder).stdout


def test_wrong_commands(folder: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "gone")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "does not exist" in done.stderr
    done = run(folder, "--ledger", tmp_path / "gone")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "cannot read the ledger" in done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (0.25, "0.25 s"), (59.6, "1 min"), (3600.0, "1 h"), (3725.0, "1 h 2 min 5 s")],
)
def test_long_times(seconds: float, text: str) -> None:
    assert long_time(seconds) == text
