"""The ledger of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from vidclass.audit.ledger import read_ledger, try_again
from vidclass.errors import ConfigError, VideoError
from vidclass.types import Failure


def failure(path: Path, cause: str = "no such file") -> Failure:
    return Failure.of(path, VideoError(path, cause, hint="Look.", stage="probe"))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [failure(tmp_path / "ä\u2028.avi"), failure(tmp_path / "b.avi", "is empty")]
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
    (tmp_path / "l.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert read_ledger(tmp_path / "l.jsonl") == rows


def test_unknown_keys_and_a_missing_hint_are_borne(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text('{"video":"a","stage":"","error_type":"E","message":"a: no.","more":1}\n\n')
    assert read_ledger(path) == [Failure("a", "", "E", "a: no.", "")]


@pytest.mark.parametrize("line", ["{", "[1]", '{"video": "a"}', '{"video": 1, "message": "x"}'])
def test_what_is_no_ledger(tmp_path: Path, line: str) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text('{"video":"a","stage":"","error_type":"E","message":"a"}\n' + line + "\n")
    with pytest.raises(ConfigError, match=r"line 2 of .* is no row of a ledger: it needs video, "):
        read_ledger(path)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the ledger .*: No such file"):
        read_ledger(tmp_path / "gone.jsonl")
    (tmp_path / "bad.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not text in UTF-8"):
        read_ledger(tmp_path / "bad.jsonl")


def test_trying_again(tiny_video: Callable[..., Path], tmp_path: Path) -> None:
    good, gone = tiny_video(), tmp_path / "gone.avi"
    told: list[tuple[str, int, int]] = []
    entries = try_again(
        [failure(good, "is empty"), failure(gone), failure(gone, "was cut")],
        lambda *step: told.append(step),
    )
    assert [(entry.cause, entry.now) for entry in entries] == [
        ("is empty", ""),
        ("no such file", "no such file"),
        ("was cut", "no such file"),
    ]
    assert told == [("ledger", 1, 2), ("ledger", 2, 2)]
