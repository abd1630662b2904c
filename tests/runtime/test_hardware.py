"""The precision that `auto` resolves to, and the detection of a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from vidclass.runtime import hardware, openvino_network
from vidclass.runtime.hardware import has_bf16, has_gpu, resolve_precision


@pytest.fixture(autouse=True)
def fresh_detection() -> Iterator[None]:
    has_gpu.cache_clear()
    yield
    has_gpu.cache_clear()


@pytest.mark.parametrize("named", ["f32", "bf16", "int8"])
def test_an_explicit_precision_is_kept(
    named: hardware.Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "has_gpu", lambda: 1 / 0)
    assert resolve_precision(named) == named


@pytest.mark.parametrize(
    ("on_gpu", "processor", "resolved"),
    [
        (False, ["FP32", "INT8"], "f32"),
        (False, ["BF16", "FP32", "INT8"], "bf16"),
        (True, ["FP32"], "bf16"),
    ],
)
def test_auto_is_bfloat16_where_the_hardware_has_it(
    on_gpu: bool, processor: list[str], resolved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "has_gpu", lambda: on_gpu)
    core = SimpleNamespace(get_property=lambda device, name: processor)
    monkeypatch.setattr(openvino_network, "core", lambda: core)
    assert resolve_precision("auto") == resolved


def test_this_processor_answers() -> None:
    assert has_bf16() in (True, False)


def test_without_a_plugin_jax_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "entry_points", lambda group: ())
    monkeypatch.setitem(sys.modules, "jax", None)
    assert has_gpu() is False


@pytest.mark.parametrize("backend", ["gpu", "cpu"])
def test_with_a_plugin_jax_decides(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "entry_points", lambda group: ("cuda",))
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(default_backend=lambda: backend))
    assert has_gpu() is (backend == "gpu")
