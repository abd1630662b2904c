"""Networks that run: through OpenVINO, through Keras, and what importing them sets off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidclass.errors import RuntimeRouteError
from vidclass.runtime.ir import IrFiles
from vidclass.runtime.keras_route import KerasNetwork
from vidclass.runtime.network import OpenVinoNetwork
from vidclass.runtime.recipe import NetworkRecipe, probe_inputs


def test_bytes_that_are_no_network_are_refused() -> None:
    with pytest.raises(RuntimeRouteError, match=r"OpenVINO cannot read the network: "):
        OpenVinoNetwork.from_bytes(b"<net>", b"")


def test_a_network_without_its_weights_is_refused(tiny_ir: IrFiles) -> None:
    with pytest.raises(RuntimeRouteError, match=r"OpenVINO cannot read the network: "):
        OpenVinoNetwork.from_bytes(tiny_ir.xml.read_bytes(), b"")


def test_files_and_bytes_give_the_same_network(
    tiny_ir: IrFiles, made: Callable[..., NetworkRecipe]
) -> None:
    inputs = probe_inputs(made("tiny"))
    by_files = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin).run(**inputs)
    by_bytes = OpenVinoNetwork.from_bytes(tiny_ir.xml.read_bytes(), tiny_ir.bin.read_bytes())
    np.testing.assert_array_equal(by_files, by_bytes.run(**inputs))


def test_outputs_are_the_callers_own(tiny_ir: IrFiles, made: Callable[..., NetworkRecipe]) -> None:
    inputs = probe_inputs(made("tiny"))
    network = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin)
    first = network.run(**inputs)
    kept = first.copy()
    network.run(frames=np.zeros_like(inputs["frames"]))
    np.testing.assert_array_equal(first, kept)
    assert first.dtype == np.float32


def test_both_routes_give_the_same_features(
    tiny_ir: IrFiles, made: Callable[..., NetworkRecipe]
) -> None:
    inputs = probe_inputs(made("tiny"))
    by_keras = KerasNetwork(made("tiny")).run(**inputs)
    by_openvino = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin).run(**inputs)
    assert by_keras.dtype == np.float32
    np.testing.assert_allclose(by_keras, by_openvino, atol=1e-5)


def test_importing_the_network_neither_forks_nor_reports(tmp_path: Path) -> None:
    script = """
import os, sys
seen = []
watched = ("os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect")
sys.addaudithook(lambda event, args: seen.append(event) if event in watched else None)
os.register_at_fork(before=lambda: seen.append("fork"))
import vidclass.runtime.network
print(sys.modules["openvino_telemetry"], seen, "keras" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.strip() == "None [] False"


def test_openvino_that_is_there_already_is_left_as_it_is() -> None:
    script = """
import sys, types
sys.modules["openvino"] = types.ModuleType("openvino")
import vidclass.runtime.openvino
print("openvino_telemetry" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
