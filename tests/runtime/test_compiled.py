"""Compiled networks on disk: used again, and never when they have rotted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidclass.errors import RuntimeRouteError
from vidclass.runtime import compiled as module
from vidclass.runtime.hardware import Precision
from vidclass.runtime.ir_files import IrFiles
from vidclass.runtime.openvino_network import OpenVinoNetwork

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path))
    return tmp_path / "compiled"


def opened(files: IrFiles, precision: Precision = "f32") -> OpenVinoNetwork:
    xml, weights = files.xml.read_bytes(), files.bin.read_bytes()
    return OpenVinoNetwork.from_bytes(xml, weights, precision, cached=True)


class NoCompiler:
    """An OpenVINO that can do anything but compile."""

    def __init__(self, core: object) -> None:
        self._core = core

    def __getattr__(self, name: str) -> object:
        if name == "compile_model":
            raise AssertionError("compiled again")
        return getattr(self._core, name)


def test_a_network_is_compiled_once(
    cache: Path, tiny_ir: IrFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(tiny_ir).run(frames=FRAMES)
    without = NoCompiler(module.core())
    monkeypatch.setattr(module, "core", lambda: without)
    np.testing.assert_array_equal(opened(tiny_ir).run(frames=FRAMES), first)
    assert len(list(cache.iterdir())) == 1


def test_another_precision_is_another_entry(cache: Path, tiny_ir: IrFiles) -> None:
    opened(tiny_ir)
    opened(tiny_ir, "bf16")
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_a_damaged_entry_is_made_again(cache: Path, tiny_ir: IrFiles, damage: str) -> None:
    first = opened(tiny_ir).run(frames=FRAMES)
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    middle = len(whole) // 2
    entry.write_bytes(
        {
            "empty": b"",
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        }[damage]
    )
    np.testing.assert_array_equal(opened(tiny_ir).run(frames=FRAMES), first)
    assert entry.stat().st_size == len(whole)


def test_an_entry_that_openvino_refuses_is_made_again(cache: Path, tiny_ir: IrFiles) -> None:
    import hashlib

    first = opened(tiny_ir).run(frames=FRAMES)
    (entry,) = cache.iterdir()
    entry.write_bytes(hashlib.sha256(b"of another version").digest() + b"of another version")
    np.testing.assert_array_equal(opened(tiny_ir).run(frames=FRAMES), first)


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, tiny_ir: IrFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "file"))
    assert opened(tiny_ir).run(frames=FRAMES).shape == (4, 4)


def test_bytes_that_are_no_network_are_refused_here_too(cache: Path) -> None:
    with pytest.raises(RuntimeRouteError, match="OpenVINO cannot read the network: "):
        OpenVinoNetwork.from_bytes(b"<net>", b"", cached=True)
    assert not cache.exists()
