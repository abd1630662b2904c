"""Networks run through OpenVINO and Keras; compiled ones are cached; importing reports nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from vidclass.errors import RuntimeRouteError
from vidclass.runtime import openvino_network
from vidclass.runtime.hardware import Precision
from vidclass.runtime.ir import IrFiles, ensure_ir
from vidclass.runtime.keras_network import KerasNetwork
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino_network import OpenVinoNetwork


def test_bytes_that_are_no_network_are_refused() -> None:
    with pytest.raises(RuntimeRouteError, match=r"OpenVINO cannot read the network: "):
        OpenVinoNetwork.from_bytes(b"<net>", b"")


def test_a_network_without_its_weights_is_refused(tiny_ir: IrFiles) -> None:
    with pytest.raises(RuntimeRouteError, match=r"OpenVINO cannot read the network: "):
        OpenVinoNetwork.from_bytes(tiny_ir.xml.read_bytes(), b"")


def test_files_and_bytes_give_the_same_network(
    tiny_ir: IrFiles, spec_of: Callable[..., NetworkSpec]
) -> None:
    inputs = probe_inputs(spec_of("tiny"))
    by_files = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin).run(**inputs)
    by_bytes = OpenVinoNetwork.from_bytes(tiny_ir.xml.read_bytes(), tiny_ir.bin.read_bytes())
    np.testing.assert_array_equal(by_files, by_bytes.run(**inputs))


def test_outputs_are_the_callers_own(tiny_ir: IrFiles, spec_of: Callable[..., NetworkSpec]) -> None:
    inputs = probe_inputs(spec_of("tiny"))
    network = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin)
    first = network.run(**inputs)
    kept = first.copy()
    network.run(frames=np.zeros_like(inputs["frames"]))
    np.testing.assert_array_equal(first, kept)
    assert first.dtype == np.float32


def test_both_routes_give_the_same_features(
    tiny_ir: IrFiles, spec_of: Callable[..., NetworkSpec]
) -> None:
    inputs = probe_inputs(spec_of("tiny"))
    by_keras = KerasNetwork(spec_of("tiny")).run(**inputs)
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
import vidclass.runtime.openvino_network
print(sys.modules["openvino_telemetry"], seen, "keras" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.strip() == "None [] False"


def test_openvino_that_is_there_already_is_left_as_it_is() -> None:
    script = """
import sys, types
fake = types.ModuleType("openvino")
fake.Tensor = lambda array: types.SimpleNamespace(data=array)
sys.modules["openvino"] = fake
import vidclass.runtime.openvino_network
print("openvino_telemetry" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("count", [1, 3, 10, 17])
def test_a_frames_features_do_not_depend_on_its_batch(tiny_ir: IrFiles, count: int) -> None:
    frames = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), np.uint8)
    network = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin)
    alone = np.concatenate([network.run(frames=frame[None]) for frame in frames])
    np.testing.assert_array_equal(network.run(frames=frames), alone)


def test_several_threads_may_run_one_network(tiny_ir: IrFiles) -> None:
    network = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin)
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, (k % 5 + 1, 32, 32, 3), np.uint8) for k in range(60)]
    alone = [network.run(frames=batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda batch: network.run(frames=batch), batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    assert network.parallel >= 1


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return (ours * theirs).sum(1) / lengths


def test_bfloat16_stays_near_float32(tiny_ir: IrFiles, spec_of: Callable[..., NetworkSpec]) -> None:
    inputs = probe_inputs(spec_of("tiny"))
    float32 = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin).run(**inputs)
    for network in (
        OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin, "bf16"),
        KerasNetwork(spec_of("tiny"), "bf16"),
    ):
        bfloat16 = network.run(**inputs)
        assert bfloat16.dtype == np.float32
        assert not np.array_equal(bfloat16, float32)
        assert cosines(bfloat16, float32).min() >= 0.999


def test_keras_compiles_for_one_size_of_batch(
    tiny_ir: IrFiles, spec_of: Callable[..., NetworkSpec]
) -> None:
    network = KerasNetwork(spec_of("tiny"))
    frames = np.random.default_rng(0).integers(0, 256, (network.batch_frames, 32, 32, 3), np.uint8)
    whole = network.run(frames=frames)
    for count in (1, 7):
        part = network.run(frames=frames[:count])
        np.testing.assert_array_equal(part, whole[:count])


def test_a_precision_of_one_network_does_not_stick(spec_of: Callable[..., NetworkSpec]) -> None:
    import keras

    KerasNetwork(spec_of("tiny"), "bf16")
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.slow
def test_threads_that_run_their_first_networks_at_once_do_not_wait_for_ever(
    tiny_ir: IrFiles,
) -> None:
    script = f"""
import sys, threading
sys.setswitchinterval(1e-6)
import numpy as np
from vidclass.runtime.openvino_network import core
model = core().read_model({str(tiny_ir.xml)!r})
compiled = core().compile_model(model, "CPU", {{"PERFORMANCE_HINT": "THROUGHPUT"}})
barrier = threading.Barrier(4)
def run(request):
    barrier.wait()
    np.array(request.infer(np.zeros((1, 32, 32, 3), np.uint8))[0])
threads = [threading.Thread(target=run, args=(compiled.create_infer_request(),)) for _ in "abcd"]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    # Without care about one process of five hangs.
    for _ in range(12):
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.slow
def test_openvino_and_keras_agree_on_windows(spec_of: Callable[..., NetworkSpec]) -> None:
    spec = spec_of("windowed", size=16, window=4)
    files = ensure_ir(spec)
    openvino, keras = OpenVinoNetwork.from_files(files.xml, files.bin), KerasNetwork(spec)
    assert keras.batch_frames == 32
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 16, 16, 3), np.uint8)
    expected = keras.run(frames=frames)
    assert expected.shape == (3, 4)
    np.testing.assert_allclose(openvino.run(frames=frames), expected, atol=1e-4)


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
    without = NoCompiler(openvino_network.core())
    monkeypatch.setattr(openvino_network, "core", lambda: without)
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
    first = opened(tiny_ir).run(frames=FRAMES)
    (entry,) = cache.iterdir()
    entry.write_bytes(hashlib.sha256(b"of another version").digest() + b"of another version")
    np.testing.assert_array_equal(opened(tiny_ir).run(frames=FRAMES), first)


def test_a_cache_that_cannot_be_written_is_not_used(
    tmp_path: Path, tiny_ir: IrFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "file"))
    assert opened(tiny_ir).run(frames=FRAMES).shape == (4, 4)


def test_bytes_that_are_no_network_are_not_cached(cache: Path) -> None:
    with pytest.raises(RuntimeRouteError, match="OpenVINO cannot read the network: "):
        OpenVinoNetwork.from_bytes(b"<net>", b"", cached=True)
    assert not cache.exists()
