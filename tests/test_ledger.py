"""The ledger: what is written is read back, and another file is refused by its row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidclass.errors import ConfigError, VideoError
from vidclass.ledger import read_ledger, write_ledger
from vidclass.types import Failure, Span

ERROR = VideoError("ä.avi", "it is empty", hint="Get it again.", stage="probe")
WHOLE = Failure.from_error(ERROR, video="ä.avi")


def test_it_is_there_only_with_failures(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.jsonl"
    assert write_ledger(path, [WHOLE])
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "video": "ä.avi",
        "stage": "probe",
        "error_type": "VideoError",
        "message": "ä.avi: it is empty. Get it again.",
        "cause": "it is empty",
        "hint": "Get it again.",
    }
    assert "ä.avi" in path.read_text(encoding="utf-8")
    assert not write_ledger(path, [])
    assert not path.exists()
    assert not write_ledger(path, [])


def test_a_part_of_a_video_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    part = Failure.from_error(ERROR, video="a.avi", span=Span(1.5, None))
    write_ledger(path, [part, WHOLE])
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (first["start_s"], first["stop_s"]) == (1.5, None)
    assert "start_s" not in second
    assert read_ledger(path) == [part, WHOLE]


TEXT = st.text(st.characters(codec=None))  # file names hold lone surrogates, messages anything


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.builds(
            Failure,
            *[TEXT] * 6,
            st.floats(0, 1e6),
            st.none() | st.floats(0, 1e6),
        )
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, failures: list[Failure]
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    write_ledger(path, failures)
    assert (read_ledger(path) if failures else []) == failures


def test_rows_without_a_hint_and_with_more_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    row = {"video": "a", "stage": "", "error_type": "E", "message": "m", "cause": "c"}
    path.write_text(f"{json.dumps(row)}\n\n{json.dumps(row | {'later': 1})}\n")
    assert read_ledger(path) == [Failure("a", "", "E", "m", "c")] * 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("video,label", "Expecting value"),
        ("[]", "should be a dictionary"),
        ('{"video": "a"}', "stage=.*Field required"),
        (
            '{"video": 1, "stage": "", "error_type": "", "message": "", "cause": ""}',
            "video=1: .*valid string",
        ),
    ],
)
def test_another_file_is_refused_by_its_row(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "ledger.jsonl"
    write_ledger(path, [WHOLE])
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    with pytest.raises(
        ConfigError, match=rf"jsonl is not a ledger: row 2 is invalid \(.*{problem}"
    ):
        read_ledger(path)


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the ledger .*none\.jsonl: No such file"):
        read_ledger(tmp_path / "none.jsonl")
    (tmp_path / "file").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="file is not a ledger: it is not UTF-8 text"):
        read_ledger(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"cannot write the ledger .*below\.jsonl: "):
        write_ledger(tmp_path / "file" / "below.jsonl", [WHOLE])
