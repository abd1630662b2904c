"""Tasks of the child process, run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vidclass.runtime import child
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino_network import OpenVinoNetwork


def write_task(folder: Path, task: str, spec: NetworkSpec) -> str:
    file = folder / f"{task}.json"
    file.write_text(json.dumps({"task": task, "spec": asdict(spec)}))
    return str(file)


@pytest.mark.parametrize("name", ["tiny", "head"])
def test_the_reference_is_the_output_of_keras(
    name: str, tmp_path: Path, spec_of: Callable[..., NetworkSpec]
) -> None:
    spec = spec_of(name)
    given = probe_inputs(spec)
    inputs = given["frames"].astype("float32") if spec.frames else given
    assert child.main(write_task(tmp_path, "reference", spec)) == 0
    expected = np.asarray(spec.build()(inputs))
    np.testing.assert_allclose(np.load(tmp_path / "reference.npy"), expected, atol=1e-5)


def test_an_expected_error_is_written_down(
    tmp_path: Path, spec_of: Callable[..., NetworkSpec]
) -> None:
    assert child.main(write_task(tmp_path, "reference", spec_of("without_weights"))) == 1
    assert json.loads((tmp_path / "reference.error.json").read_text()) == {
        "type": "WeightsError",
        "message": "the weights of size=32 are not here: fetch them",
    }


def test_a_defect_is_raised_and_written_down(
    tmp_path: Path, spec_of: Callable[..., NetworkSpec]
) -> None:
    with pytest.raises(ZeroDivisionError, match="a defect of size 32"):
        child.main(write_task(tmp_path, "reference", spec_of("defective")))
    assert json.loads((tmp_path / "reference.error.json").read_text()) == {
        "type": "RuntimeRouteError",
        "message": "the reference of small_networks:defective with {'size': 32} failed: "
        "ZeroDivisionError: a defect of size 32",
    }


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (ValueError("an unknown operation"), True),
        (caused(ValueError("an unknown operation"), KeyError("inside")), True),
        (MemoryError(), False),
        (RuntimeError("RESOURCE_EXHAUSTED: 3 GB"), False),
        (ImportError("libhdf5.so"), False),
        (caused(ValueError("cannot write"), OSError(28, "No space left on device")), False),
    ],
)
def test_a_shortage_of_the_machine_is_not_lasting(
    error: Exception, lasting: bool, tmp_path: Path
) -> None:
    assert child.is_lasting(error, tmp_path) is lasting


def test_no_error_is_lasting_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(free=child.MIN_FREE_BYTES - 1)
    monkeypatch.setattr(child.shutil, "disk_usage", lambda _: full)
    assert not child.is_lasting(ValueError("the file ends too early"), tmp_path)


@pytest.mark.slow
def test_reshapes_keep_the_batch(spec_of: Callable[..., NetworkSpec]) -> None:
    spec = spec_of("squeezing")
    files = ensure_ir(spec)
    inputs = probe_inputs(spec)
    network = OpenVinoNetwork.from_files(files.xml, files.bin)
    together = network.run(**inputs)
    assert files.parity < 1e-5
    assert together.shape == (3, 4)
    for image, row in zip(inputs["frames"], together, strict=True):
        np.testing.assert_allclose(network.run(frames=image[None])[0], row, atol=1e-5)
