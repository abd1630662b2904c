"""Compiled networks on disk: opening one again takes a third of the time of compiling it.

OpenVINO has such a cache of its own, but uses a file that has rotted: with some flipped bytes it
gives other numbers, in silence.  So what it exports is kept here, under a checksum.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vidclass._core.files import cache_folder, replacing
from vidclass.runtime.openvino import core, ov

_DIGEST_BYTES = hashlib.sha256().digest_size


def compile_cached(xml: bytes, weights: bytes, hints: dict[str, Any]) -> ov.CompiledModel:
    """The compiled network, from the cache or compiled now and kept.

    A damaged entry is made again; a cache that cannot be written is done without.

    Raises:
        RuntimeError: the bytes are not an IR.
    """
    path = cache_folder() / "compiled" / f"{_key(xml, weights, hints)}.blob"
    kept = _checked(path)
    if kept is not None:
        # What this very OpenVINO exported on such a processor may still not suit it.
        with suppress(RuntimeError):
            return core().import_model(kept, "CPU", hints)
    compiled = core().compile_model(core().read_model(xml, weights), "CPU", hints)
    blob = compiled.export_model().getvalue()
    with suppress(OSError), replacing(path) as temp:
        temp.write_bytes(hashlib.sha256(blob).digest() + blob)
    return compiled


def _key(xml: bytes, weights: bytes, hints: dict[str, Any]) -> str:
    processor = [
        core().get_property("CPU", name)
        for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
    ]
    facts = [
        hashlib.sha256(xml).hexdigest(),
        hashlib.sha256(weights).hexdigest(),
        hints,
        processor,
        version("openvino"),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _checked(path: Path) -> bytes | None:
    """The exported network in `path` if it is there and whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, blob = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return blob if hashlib.sha256(blob).digest() == digest else None
