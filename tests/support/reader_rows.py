"""Shared by the tests of readers: files to read, rows to compare, mutated content."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies as st

from vidclass.data.rows import Rows

HOSTILE = [
    b"",
    b"\xff\xfe\x00",
    b"\0",
    b"[" * 200_000,
    b'[{"a":' * 50_000,
    b"[NaN]",
    b"[1e999]",
    b"[" + b"9" * 5000 + b"]",
    b"null",
    b"[]",
    b"[null]",
    b"{}",
    b'[{"id": "\\ud800"}]',
    b"<annotations>" * 2000,
]


def write(folder: Path, name: str, content: object) -> Path:
    """Write text, bytes, or anything else as JSON; return the path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


def touch(folder: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        write(folder, name, b"")


def rows(clips: Rows, folder: Path, *columns: str) -> list[tuple[object, ...]]:
    """Return the rows: the video relative to `folder`, the label, and further columns."""
    values = clips.table.select("video", "label", *columns).rows()
    return [(Path(row[0]).relative_to(folder).as_posix(), *row[1:]) for row in values]


@st.composite
def mutated(draw: st.DrawFn, content: bytes, words: tuple[bytes, ...] = ()) -> bytes:
    """Draw `content` with a few parts overwritten, cut out or doubled."""
    tokens = (b"", b"0", b"-1", b"1e999", b"NaN", b"null", b"[", b"{}", b'"', b"\xff", b"\0", b"|")
    tokens += (b"../", b"99999999999999999999", b"true", b'""', b"\n", b",", b";", b"\t", b"\r")
    tokens += (b"[" * 2000, b"\xe2\x80\xa8", b"\\u0000", *words)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.integers(0, 12)))
        content = content[:start] + draw(st.sampled_from(tokens)) + content[stop:]
    return content
