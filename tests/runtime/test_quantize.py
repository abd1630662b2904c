"""int8 networks: near to float32 or refused, cached, and built again when damaged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from vidclass.errors import ConfigError, RuntimeRouteError
from vidclass.runtime import quantize
from vidclass.runtime.ir import IrFiles
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.runtime.openvino_network import OpenVinoNetwork
from vidclass.runtime.quantize import Int8Ir, cosine_similarity, int8_entries, make_int8

FRAMES = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
pytestmark = pytest.mark.skipif(find_spec("nncf") is None, reason="needs the extra `quantize`")


@pytest.fixture(scope="module")
def int8(spec_of: Callable[..., NetworkSpec], tiny_ir: IrFiles) -> Int8Ir:
    """The tiny network in int8."""
    return make_int8(spec_of("tiny"), clips=["b", "a"], calibrate=FRAMES[:8], check=FRAMES[8:])


@pytest.mark.slow
def test_an_int8_network_is_small_and_near_to_float32(
    int8: Int8Ir, tiny_ir: IrFiles, spec_of: Callable[..., NetworkSpec]
) -> None:
    assert "FakeQuantize" in int8.ir.xml.read_text()
    assert 0.98 < int8.cosine_min <= int8.cosine_mean <= 1
    int8.require_similar()
    float32 = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin).run(frames=FRAMES)
    ours = OpenVinoNetwork.from_files(int8.ir.xml, int8.ir.bin, "int8").run(frames=FRAMES)
    assert not np.array_equal(ours, float32)
    np.testing.assert_allclose(ours, float32, atol=0.1 * np.abs(float32).max())


@pytest.mark.slow
def test_it_is_found_again_and_known_by_its_clips(
    int8: Int8Ir, spec_of: Callable[..., NetworkSpec]
) -> None:
    assert int8.clips == {"a", "b"}
    assert int8 in int8_entries(spec_of("tiny"))
    assert int8_entries(spec_of("only_channels_last")) == []


@pytest.mark.slow
def test_a_damaged_entry_is_not_used(
    spec_of: Callable[..., NetworkSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path))
    entry = make_int8(spec_of("tiny"), clips=["c"], calibrate=FRAMES[:2], check=FRAMES[2:4])
    entry.ir.bin.write_bytes(b"rot")
    assert int8_entries(spec_of("tiny")) == []
    again = make_int8(spec_of("tiny"), clips=["c"], calibrate=FRAMES[:2], check=FRAMES[2:4])
    assert int8_entries(spec_of("tiny")) == [again]


@pytest.mark.slow
def test_a_failing_child_is_an_error_that_shows_its_last_words(
    spec_of: Callable[..., NetworkSpec], tiny_ir: IrFiles
) -> None:
    wrong = FRAMES[:2, :16]
    with pytest.raises(RuntimeRouteError, match=r"quantizing a network failed in a child process:"):
        make_int8(spec_of("tiny"), clips=["wrong"], calibrate=wrong, check=wrong)


def test_a_network_too_far_from_float32_is_refused_with_the_figure() -> None:
    files = IrFiles(Path("model.xml"), Path("model.bin"), 0.0)
    near = Int8Ir(files, "int8-1", frozenset("a"), cosine_mean=0.98, cosine_min=0.9)
    near.require_similar()
    far = dataclasses.replace(near, cosine_mean=0.97)
    with pytest.raises(
        RuntimeRouteError,
        match=r"features have a mean cosine of 0\.9700 with those in float32 \(the worst frame "
        r"0\.9000\), at least 0\.98 is required\. Use precision='auto'",
    ):
        far.require_similar()


def test_cosines_of_zeros_are_defined() -> None:
    zeros, ones = np.zeros((1, 3)), np.ones((1, 3))
    assert cosine_similarity(zeros, zeros).tolist() == [1.0]
    assert cosine_similarity(zeros, ones).tolist() == [0.0]
    np.testing.assert_allclose(cosine_similarity(ones, 2 * ones), 1.0)


def test_without_nncf_int8_is_refused(
    spec_of: Callable[..., NetworkSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"precision='int8' needs NNCF: pip install 'vidclass\["):
        make_int8(spec_of("tiny"), clips=[], calibrate=FRAMES, check=FRAMES)
