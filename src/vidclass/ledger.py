"""The ledger: one JSON row for each clip that could not be processed, with the cause."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vidclass._core.files import write_text
from vidclass.config.base import one_line
from vidclass.errors import ConfigError
from vidclass.types import Failure

_ROW = TypeAdapter(Failure)
_WHOLE = {"start_s": 0.0, "stop_s": None}


def write_ledger(path: Path, failures: Iterable[Failure]) -> bool:
    """Write one JSON row a failure; without failures remove the file.  Return whether it exists.

    A row names a span only where it is not the whole video.

    Raises:
        ConfigError: the file cannot be written, or an old one not removed.
    """
    lines = [_as_line(failure) for failure in failures]
    try:
        if lines:
            write_text(path, "\n".join(lines) + "\n")
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write the ledger {path}: {error.strerror}") from error
    return bool(lines)


def read_ledger(path: Path) -> list[Failure]:
    """Return the rows of a ledger; empty lines are skipped.

    Raises:
        ConfigError: the file cannot be read, or is not a ledger.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the ledger {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a ledger: it is not UTF-8 text") from error
    # Not splitlines: a message may hold characters that it treats as ends of lines.
    rows = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return [_from_line(path, number, line) for number, line in rows]


def _as_line(failure: Failure) -> str:
    row = asdict(failure)
    if all(row[name] == value for name, value in _WHOLE.items()):
        row = {name: value for name, value in row.items() if name not in _WHOLE}
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # a file name need not be text
        return json.dumps(row)
    return line


def _from_line(path: Path, number: int, line: str) -> Failure:
    try:
        return _ROW.validate_python(json.loads(line))
    except ValidationError as error:
        reason = one_line(error)
    except ValueError as error:
        reason = str(error)
    raise ConfigError(
        f"{path} is not a ledger: row {number} is invalid ({reason}). A ledger has a JSON object a "
        "row, with the strings video, stage, error_type, message and cause"
    )
