"""Text and JSON that somebody else wrote, read strictly: errors say which file and which row."""

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


def refuse(path: Path, rule: str, cases: Sequence[str]) -> None:
    """Raise what is wrong with which rows, if any is.

    Raises:
        ManifestError: there are cases.
    """
    if cases:
        raise ManifestError(f"{path.name}: {rule}; {listed(cases)}.")


def shown(value: object) -> str:
    """A value as it stands in a message: never long, whatever a file holds."""
    return reprlib.repr(value)


def number_in(value: object) -> float | None:
    """A finite number (no truth value, no text), else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number beyond the range of floats would raise OverflowError.
    return float(value) if abs(value) < 2**53 else None


def head_of(path: Path, size: int = _HEAD_BYTES[0]) -> str:
    """The beginning of a file as text; nothing if there is no such file or it cannot be read."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            return file.read(size).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def first_line(path: Path) -> str:
    """The first line that is not blank, without outer blanks; may be empty."""
    return next((line.strip() for line in head_of(path).split("\n") if line.strip()), "")


def read_text(path: Path) -> str:
    """The whole file.

    Raises:
        ManifestError: it is too large, not UTF-8 or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ManifestError(
                f"{path.name} has {size >> 20} MiB; at most {MAX_BYTES >> 20} MiB of annotations "
                "are read. Export it in parts."
            )
        data = path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _not_text(path, data, error.start)
    if "\0" in text:
        _not_text(path, data, data.index(b"\0"))
    return text


def _not_text(path: Path, data: bytes, place: int) -> NoReturn:
    row = data.count(b"\n", 0, place) + 1
    raise ManifestError(
        f"{path.name} is not UTF-8 text: byte 0x{data[place]:02x} in row {row}. Save it as UTF-8."
    )


def load_json(path: Path) -> object:
    """What a JSON file says; NaN, infinities and keys that come twice are refused.

    Raises:
        ManifestError: it is not strict JSON; the line is named where there is one.
    """
    text = read_text(path)
    try:
        value: object = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_unique, parse_float=_finite
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
    """A JSON file that is a list of objects, as all the exports are that we read.

    Raises:
        ManifestError: it is something else, or has no entries.
    """
    value = load_json(path)
    if not isinstance(value, list):
        raise ManifestError(f"{path.name} must be a JSON list, received: {shown(value)}.")
    if not value:
        raise ManifestError(f"{path.name} has no entries.")
    others = [
        f"entry {number} is {shown(entry)}"
        for number, entry in enumerate(value, start=1)
        if not isinstance(entry, dict)
    ]
    refuse(path, "every entry must be a JSON object", others)
    return value


def first_entry(path: Path) -> dict[str, object]:
    """The first object of a JSON list, without reading the rest; empty if there is none."""
    if path.suffix.lower() != ".json":
        return {}
    for size in _HEAD_BYTES:
        text = head_of(path, size).lstrip()
        if not text.startswith("["):
            return {}
        try:
            entry, _ = json.JSONDecoder().raw_decode(text[1:].lstrip())
        except (ValueError, RecursionError):
            continue  # perhaps only cut off
        return entry if isinstance(entry, dict) else {}
    return {}


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {shown(text)} is too large")
    return number


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"one object has the key {shown(name)} twice")
    return found
