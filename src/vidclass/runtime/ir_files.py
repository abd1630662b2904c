"""How an IR lies in the cache: a folder of two files, with their checksums and facts about them."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidclass._core.files import sha256_of, write_text

_XML, _BIN, _FACTS = "model.xml", "model.bin", "ir.json"


@dataclass(frozen=True)
class IrFiles:
    """A checked IR on disk.

    Attributes:
        xml: The network.
        bin: Its weights.
        parity: How far its float32 form is from Keras, as a part of the largest output.
    """

    xml: Path
    bin: Path
    parity: float


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Finish a folder with an IR: note the facts and checksums, remove whatever else is in it."""
    checksums = {name: sha256_of(folder / name) for name in (_XML, _BIN)}
    write_text(folder / _FACTS, json.dumps(checksums | facts, indent=1))
    for path in folder.iterdir():
        if path.name not in (_XML, _BIN, _FACTS):
            path.unlink()


def is_sealed(folder: Path) -> bool:
    """Whether an IR was finished there; that it is whole still is not checked."""
    return (folder / _FACTS).is_file()


def sealed(folder: Path) -> tuple[IrFiles, dict[str, Any]] | None:
    """The IR in `folder`, with its facts, if it is whole."""
    try:
        facts: dict[str, Any] = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        whole = all(facts[name] == sha256_of(folder / name) for name in (_XML, _BIN))
        files = IrFiles(folder / _XML, folder / _BIN, float(facts["parity"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (files, facts) if whole else None


def discard(folder: Path) -> None:
    """Take away a damaged entry, though other processes may do so too."""
    damaged = folder.with_name(f".{folder.name}.damaged.{os.getpid()}")
    with suppress(FileNotFoundError):  # it was never there, or another process was quicker
        folder.rename(damaged)
        shutil.rmtree(damaged)
