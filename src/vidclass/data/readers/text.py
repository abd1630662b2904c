"""Strict reading of text and JSON files of other tools; errors name the file and the row."""

from __future__ import annotations

import json
import math
import os
import reprlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from vidclass._core.text import listed
from vidclass.errors import ManifestError

MAX_BYTES = 1 << 29  # the largest annotations in use have some 100 MB; this still fits in memory
_HEAD_BYTES = (1 << 16, 1 << 24)  # an entry with thousands of boxes does not fit into the first


def require_valid(path: Path, rule: str, problems: Sequence[str]) -> None:
    """Require a list of problems to be empty.

    Raises:
        ManifestError: it is not; the message has the rule and the first problems.
    """
    if problems:
        raise ManifestError(f"{path.name}: {rule}; {listed(problems)}.")


def short_repr(value: object) -> str:
    """Return the repr of a value for a message, shortened whatever a file holds."""
    return reprlib.repr(value)


def as_number(value: object) -> float | None:
    """Return a finite number (not a bool, not text) as a float, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number beyond the range of floats would raise OverflowError.
    return float(value) if abs(value) < 2**53 else None


def read_head(path: Path, size: int = _HEAD_BYTES[0]) -> str:
    """Return the first `size` bytes of a file as text; "" if it cannot be read."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            return file.read(size).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def first_line(path: Path) -> str:
    """Return the first line that is not blank, stripped; "" if there is none."""
    return next((line.strip() for line in read_head(path).split("\n") if line.strip()), "")


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ManifestError: it is too large, not UTF-8 or cannot be read.
    """
    return decode_text(path, read_bytes(path, largest=MAX_BYTES))


def read_bytes(path: Path, *, largest: float = math.inf) -> bytes:
    """Return the bytes of a file.

    Raises:
        ManifestError: it has more than `largest` bytes, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > largest:
            raise ManifestError(
                f"{path.name} has {size >> 20} MiB; at most {int(largest) >> 20} MiB of "
                "annotations are read. Export it in parts."
            )
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{str(path)!r} cannot be read: {error.strerror}.") from error


def decode_text(path: Path, data: bytes) -> str:
    """Decode the bytes of a file, without a byte order mark.

    Raises:
        ManifestError: they are not UTF-8, or contain NUL.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(path, data, error.start) from error
    if "\0" in text:
        raise _not_text(path, data, data.index(b"\0"))
    return text


def _not_text(path: Path, data: bytes, offset: int) -> ManifestError:
    row = data.count(b"\n", 0, offset) + 1
    return ManifestError(
        f"{path.name} is not UTF-8 text: byte 0x{data[offset]:02x} in row {row}. Save it as UTF-8."
    )


def text_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not blank, stripped, each with its number from 1.

    Raises:
        ManifestError: the file cannot be read as text, or has no such line.
    """
    text = read_text(path)
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise ManifestError(f"{path.name} is empty: one line a clip is needed.")
    return lines


def load_json(path: Path) -> object:
    """Parse a JSON file; NaN, infinities and duplicate keys are errors.

    Raises:
        ManifestError: it is not strict JSON; the message names the row if there is one.
    """
    text = read_text(path)
    try:
        value: object = json.loads(
            text, parse_constant=_reject_constant, object_pairs_hook=_unique, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise ManifestError(
            f"{path.name} is not well-formed JSON at row {error.lineno}, column {error.colno}: "
            f"{error.msg}."
        ) from error
    except RecursionError as error:
        raise ManifestError(f"{path.name} is nested too deeply for annotations.") from error
    except ValueError as error:
        raise ManifestError(f"{path.name} is not strict JSON: {error}.") from error
    return value


def load_entries(path: Path) -> list[dict[str, object]]:
    """Parse a JSON file that is a list of objects.

    Raises:
        ManifestError: it is something else, or has no entries.
    """
    value = load_json(path)
    if not isinstance(value, list):
        raise ManifestError(f"{path.name} must be a JSON list, received: {short_repr(value)}.")
    if not value:
        raise ManifestError(f"{path.name} has no entries.")
    others = [
        f"entry {number} is {short_repr(entry)}"
        for number, entry in enumerate(value, start=1)
        if not isinstance(entry, dict)
    ]
    require_valid(path, "every entry must be a JSON object", others)
    return value


def first_entry(path: Path) -> dict[str, object]:
    """Parse the first object of a JSON list without reading the rest; {} if there is none."""
    if path.suffix.lower() != ".json":
        return {}
    for size in _HEAD_BYTES:
        text = read_head(path, size).lstrip()
        if not text.startswith("["):
            return {}
        try:
            entry, _ = json.JSONDecoder().raw_decode(text[1:].lstrip())
        except (ValueError, RecursionError):
            continue  # perhaps only cut off
        return entry if isinstance(entry, dict) else {}
    return {}


def _reject_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {short_repr(text)} is too large")
    return number


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"one object has the key {short_repr(name)} twice")
    return unique
