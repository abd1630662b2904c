"""Output of commands: progress, notes and the closing line."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidclass.cli import console
from vidclass.types import Failure


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with console.progress_bars() as progress:
        for second in range(31):
            now[0] = float(second)
            progress("extract", second + 1, 62)
            progress("other", 0, 0)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[:2] == [
        "extracting features: 11 of 62, 46 s left",
        "other: 0 of ?",
    ]
    assert len(printed.err.splitlines()) == 6


def test_progress_is_bars_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with console.progress_bars() as progress:
        progress("train", 1, 2)
        progress("train", 2, 2)
        progress("download", 5, 0)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "training" in printed.err
    assert "downloading" in printed.err
    assert "5 bytes of ?" in printed.err


def test_notes_are_printed_once_and_brackets_are_no_markup(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    console.print_notes(["see [bold]x[/bold]", "see [bold]x[/bold]", "b"])
    console.closing_line(1, [Failure("v", "", "E", "[red]v: bad", "bad")], Path("l.jsonl"))
    console.say("[red]a")
    printed = capsys.readouterr()
    assert printed.out == "[red]a\n"
    assert printed.err.splitlines() == [
        "note: see [bold]x[/bold]",
        "note: b",
        "failed: [red]v: bad",
        "1 ok, 1 failed (listed in l.jsonl)",
    ]
