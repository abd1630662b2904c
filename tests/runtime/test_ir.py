"""IRs are built once, checked against Keras, cached, and built again when damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidclass.errors import RuntimeRouteError, WeightsError
from vidclass.runtime import ir
from vidclass.runtime.ir import IrFiles, ensure_ir
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs
from vidclass.runtime.openvino_network import OpenVinoNetwork

SpecOf = Callable[..., NetworkSpec]


def must_not_run(*_: Any) -> None:
    raise AssertionError("built again")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ir"


class Copies:
    """Builds of the tiny network, which copy the session's IR; `folders` lists them."""

    def __init__(self, tiny_ir: IrFiles) -> None:
        self._source = tiny_ir.xml.parent
        self.folders: list[Path] = []

    def build(self, _: NetworkSpec, folder: Path) -> None:
        self.folders.append(folder)
        shutil.copytree(self._source, folder, dirs_exist_ok=True)

    def ensure(self, spec: NetworkSpec) -> IrFiles:
        return ensure_ir(spec, build=self.build)


@pytest.fixture
def copies(tiny_ir: IrFiles, own_cache: Path) -> Copies:
    return Copies(tiny_ir)


@pytest.mark.slow
def test_an_ir_gives_the_outputs_of_keras_for_any_batch(tiny_ir: IrFiles, spec_of: SpecOf) -> None:
    from small_networks import tiny

    network = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin)
    model = tiny(32)
    rng = np.random.default_rng(3)
    assert tiny_ir.parity < 1e-5
    for count in (1, 2, 5):
        frames = rng.integers(0, 256, (count, 32, 32, 3), np.uint8)
        expected = np.asarray(model(frames.astype("float32")))
        np.testing.assert_allclose(network.run(frames=frames), expected, atol=1e-5)


def test_an_entry_holds_the_ir_and_its_facts_alone(tiny_ir: IrFiles, spec_of: SpecOf) -> None:
    folder = tiny_ir.xml.parent
    assert {path.name for path in folder.iterdir()} == {"ir.json", "model.xml", "model.bin"}
    assert list(folder.parent.glob(f".{folder.name}.*")) == []  # no half-made folder is left
    facts = json.loads((folder / "ir.json").read_text())
    assert facts["spec"]["builder"] == spec_of("tiny").builder
    assert facts["parity"] == tiny_ir.parity


def test_a_second_call_builds_nothing(tiny_ir: IrFiles, spec_of: SpecOf) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_ir.xml.parent.iterdir()}
    assert ensure_ir(spec_of("tiny"), build=must_not_run) == tiny_ir
    assert {path: path.stat().st_mtime_ns for path in tiny_ir.xml.parent.iterdir()} == before


def drop_weights(folder: Path) -> None:
    (folder / "model.bin").unlink()


def change_network(folder: Path) -> None:
    with (folder / "model.xml").open("a") as file:
        file.write(" ")


def cut_network(folder: Path) -> None:
    os.truncate(folder / "model.xml", 1000)


def flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / "model.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.bin").write_bytes(data)


def list_facts(folder: Path) -> None:
    (folder / "ir.json").write_text("[]")


def drop_parity(folder: Path) -> None:
    facts = json.loads((folder / "ir.json").read_text())
    (folder / "ir.json").write_text(json.dumps(facts | {"parity": None}))


def cut_facts(folder: Path) -> None:
    (folder / "ir.json").write_text('{"model.xml": ')


def empty_facts(folder: Path) -> None:
    (folder / "ir.json").write_text("{}")


@pytest.mark.parametrize(
    "damage",
    [
        drop_weights,
        flip_a_bit,
        change_network,
        cut_network,
        cut_facts,
        empty_facts,
        list_facts,
        drop_parity,
    ],
)
def test_a_damaged_entry_is_built_again(
    damage: Callable[[Path], None], copies: Copies, spec_of: SpecOf, own_cache: Path
) -> None:
    first = copies.ensure(spec_of("tiny"))
    damage(first.xml.parent)
    again = copies.ensure(spec_of("tiny"))
    assert len(copies.folders) == 2
    assert again == first
    assert copies.ensure(spec_of("tiny")) == first
    assert len(copies.folders) == 2
    assert [path.name for path in own_cache.iterdir()] == [spec_of("tiny").fingerprint()]


def test_a_damaged_entry_may_be_discarded_by_another_process_first(
    copies: Copies, spec_of: SpecOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copies.ensure(spec_of("tiny")).xml.parent
    drop_weights(folder)
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        shutil.rmtree(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert copies.ensure(spec_of("tiny")).bin.is_file()


def test_an_entry_that_stays_damaged_is_an_error(copies: Copies, spec_of: SpecOf) -> None:
    def build_damaged(spec: NetworkSpec, folder: Path) -> None:
        copies.build(spec, folder)
        drop_weights(folder)

    with pytest.raises(RuntimeRouteError, match=r"the cached network in .* changes while it is"):
        ensure_ir(spec_of("tiny"), build=build_damaged)


def test_two_processes_at_once_both_get_the_same_ir(
    tiny_ir: IrFiles, spec_of: SpecOf, own_cache: Path
) -> None:
    script = (
        "import shutil, sys, time\n"
        "from vidclass.runtime import ir\n"
        "from vidclass.runtime.network_spec import NetworkSpec\n"
        "def copy(spec, folder):\n"
        "    print('building', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    shutil.copytree(sys.argv[1], folder, dirs_exist_ok=True)\n"
        "spec = NetworkSpec('small_networks:tiny', {'size': 32}, identity='test', frames=True)\n"
        "print(ir.ensure_ir(spec, build=copy).xml)"
    )
    command = [sys.executable, "-c", script, str(tiny_ir.xml.parent)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    assert [process.stdout and process.stdout.readline() for process in both] == ["building\n"] * 2
    printed = [process.communicate("\n")[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    xml = own_cache / spec_of("tiny").fingerprint() / "model.xml"
    assert printed == [f"{xml}\n"] * 2
    assert list(own_cache.iterdir()) == [xml.parent]


@pytest.mark.slow
def test_two_processes_really_build_the_same_ir_at_once(
    tiny_ir: IrFiles, spec_of: SpecOf, own_cache: Path
) -> None:
    script = (
        "from vidclass.runtime import ir\n"
        "from vidclass.runtime.network_spec import NetworkSpec\n"
        "spec = NetworkSpec('small_networks:tiny', {'size': 32}, identity='test', frames=True)\n"
        "print(ir.ensure_ir(spec).xml)"
    )
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate()[0] for process in both]
    folder = own_cache / spec_of("tiny").fingerprint()
    assert printed == [f"{folder / 'model.xml'}\n"] * 2
    assert list(own_cache.iterdir()) == [folder]
    assert (folder / "model.bin").read_bytes() == tiny_ir.bin.read_bytes()


def refused(own_cache: Path) -> list[str]:
    """Return the refusals in the cache, which must hold nothing else."""
    assert all(".refused-" in path.name for path in own_cache.iterdir())
    return [path.read_text() for path in own_cache.iterdir()]


@pytest.mark.slow
def test_a_network_with_other_outputs_is_refused_and_remembered(
    spec_of: SpecOf, own_cache: Path
) -> None:
    spec = spec_of("other_numbers_by_backend")
    message = (
        r"the OpenVINO form of small_networks:other_numbers_by_backend with {'size': 32} differs "
        r"from Keras by 0\.\d+ of its largest output, allowed: 0\.0001"
    )
    with pytest.raises(RuntimeRouteError, match=message) as caught:
        ensure_ir(spec)
    assert refused(own_cache) == [str(caught.value)]
    with pytest.raises(RuntimeRouteError, match=message):
        ensure_ir(spec, build=must_not_run)


@pytest.mark.slow
def test_a_network_that_cannot_be_exported_is_refused_and_remembered(
    spec_of: SpecOf, own_cache: Path
) -> None:
    message = (
        r"^the export of small_networks:defective with {'size': 32} failed: "
        r"ZeroDivisionError: a defect of size 32$"
    )
    assert ir.cached_route(spec_of("defective")) is None
    with pytest.raises(RuntimeRouteError, match=message) as caught:
        ensure_ir(spec_of("defective"))
    assert refused(own_cache) == [str(caught.value)]
    assert ir.cached_route(spec_of("defective")) == "keras"
    with pytest.raises(RuntimeRouteError, match=message):
        ensure_ir(spec_of("defective"), build=must_not_run)


def test_a_refused_network_is_tried_again_after_a_new_revision(
    copies: Copies, spec_of: SpecOf, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cache.mkdir(parents=True)
    ir.refusal_file(own_cache / spec_of("tiny").fingerprint()).write_text("it differs")
    with pytest.raises(RuntimeRouteError, match="^it differs$"):
        copies.ensure(spec_of("tiny"))
    monkeypatch.setattr(ir, "REFUSAL_REVISION", ir.REFUSAL_REVISION + 1)
    assert copies.ensure(spec_of("tiny")).xml.is_file()
    assert len(copies.folders) == 1


def test_the_route_is_known_once_the_ir_is_cached(copies: Copies, spec_of: SpecOf) -> None:
    assert ir.cached_route(spec_of("tiny")) is None
    copies.ensure(spec_of("tiny"))
    assert ir.cached_route(spec_of("tiny")) == "openvino"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("without_weights", WeightsError, r"the weights of size=32 are not here: fetch them"),
        (
            "on_a_full_disk",
            RuntimeRouteError,
            r"\(exit code 1\):\n(.*\n)*ValueError: cannot export",
        ),
        ("killed", RuntimeRouteError, r"\(exit code -?9\)"),
    ],
)
def test_a_shortage_of_this_machine_is_not_remembered(
    name: str, kind: type[Exception], message: str, spec_of: SpecOf, own_cache: Path
) -> None:
    with pytest.raises(kind, match=message):
        ensure_ir(spec_of(name))
    assert list(own_cache.iterdir()) == []


class Finished:
    """A child process that has ended."""

    returncode = 0

    def poll(self) -> int:
        return self.returncode

    kill = wait = poll


def test_a_cache_that_cannot_be_written_is_an_expected_error(
    spec_of: SpecOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "file"))
    with pytest.raises(RuntimeRouteError, match=r"no network can be kept in .*file.ir: "):
        ensure_ir(spec_of("tiny"))


def test_the_reference_waits_for_weights_to_be_downloaded(spec_of: SpecOf, tmp_path: Path) -> None:
    """Two processes that download into one file at once damage it."""
    events: list[str] = []

    class Export(Finished):
        def poll(self) -> Any:
            events.append("not built")
            if len(events) == 4:
                (tmp_path / ir.BUILT).touch()
            return None

    def start(task: str, *_: Any) -> Finished:
        events.append(task)
        return Export() if task == "export" else Finished()

    with pytest.raises(FileNotFoundError):  # nothing was exported
        ir.build_ir(spec_of("tiny"), tmp_path, start=start)
    assert events[0] == "export"
    assert set(events[1:4]) == {"not built"}
    assert events.index("reference") > 3


def export(spec: NetworkSpec, folder: Path) -> OpenVinoNetwork:
    child = ir.start_child("export", spec, folder)
    assert child.wait() == 0, (folder / "export.log").read_text()
    return OpenVinoNetwork.from_files(folder / "model.xml", folder / "model.bin")


@pytest.mark.slow
def test_a_network_that_refuses_channels_first_is_exported_as_it_is(
    spec_of: SpecOf, tiny_ir: IrFiles, tmp_path: Path
) -> None:
    network = export(spec_of("only_channels_last"), tmp_path)
    inputs = probe_inputs(spec_of("tiny"))
    expected = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin).run(**inputs)
    np.testing.assert_allclose(network.run(**inputs), expected, atol=1e-5)


@pytest.mark.slow
def test_a_head_is_exported_with_its_two_inputs(spec_of: SpecOf, tmp_path: Path) -> None:
    inputs = probe_inputs(spec_of("head"))
    outputs = export(spec_of("head"), tmp_path).run(**inputs)
    np.testing.assert_allclose(outputs, inputs["features"].sum(1), atol=1e-5)


@pytest.mark.slow
def test_a_head_that_cannot_be_exported_is_not_tried_again(spec_of: SpecOf, tmp_path: Path) -> None:
    spec = NetworkSpec(spec_of("defective").builder, {"size": 3}, "test", frames=False)
    child = ir.start_child("export", spec, tmp_path)
    assert child.wait() == 1
    log = (tmp_path / "export.log").read_text()
    assert log.count("ZeroDivisionError: a defect of size 3") == 1


@pytest.mark.parametrize(
    ("outputs", "reference", "difference"),
    [
        (np.full((3, 4), 2.0), np.full((3, 4), 2.0), 0.0),
        (np.full((3, 4), 2.2), np.full((3, 4), 2.0), 0.1),
        (np.zeros((3, 5)), np.zeros((3, 4)), np.inf),
        (np.full((3, 4), np.nan), np.full((3, 4), np.nan), np.inf),
        (np.full((3, 4), np.nan), np.full((3, 4), 2.0), np.nan),
    ],
)
def test_parity_is_the_largest_difference_relative_to_the_largest_output(
    outputs: np.ndarray, reference: np.ndarray, difference: float
) -> None:
    assert ir.parity(outputs, reference) == pytest.approx(difference, nan_ok=True)


class Exported:
    """A compiled network of one output, or one error."""

    def __init__(self, outcome: np.ndarray | Exception) -> None:
        self._outcome = outcome

    def run(self, **_: Any) -> np.ndarray:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


@pytest.fixture
def ensure_exported(
    spec_of: SpecOf, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[np.ndarray | Exception], IrFiles]:
    """Build the tiny network without child processes; its export has the given outcome."""

    def start(task: str, _: NetworkSpec, folder: Path) -> Finished:
        np.save(folder / "reference.npy", np.full((3, 4), 2.0))
        return Finished()

    def ensure(outcome: np.ndarray | Exception) -> IrFiles:
        network = Exported(outcome)
        monkeypatch.setattr(ir.OpenVinoNetwork, "from_files", lambda *_: network)
        return ensure_ir(spec_of("tiny"), build=partial(ir.build_ir, start=start))

    return ensure


def test_a_network_of_nans_does_not_pass(ensure_exported: Callable[..., IrFiles]) -> None:
    with pytest.raises(RuntimeRouteError, match=r"differs from Keras by nan"):
        ensure_exported(np.full((3, 4), np.nan))


@pytest.mark.parametrize(
    ("error", "remembered"),
    [
        (RuntimeError("a batch of one is baked in"), True),
        (RuntimeRouteError("OpenVINO cannot read the network: no such operation"), True),
        (RuntimeError("Exception from src/inference: std::bad_alloc"), False),
    ],
)
def test_a_network_that_does_not_run_is_refused(
    error: Exception, remembered: bool, ensure_exported: Callable[..., IrFiles], own_cache: Path
) -> None:
    message = f"the OpenVINO form of small_networks:tiny with {{'size': 32}} does not run: {error}"
    with pytest.raises(RuntimeRouteError, match=f"^{message}$"):
        ensure_exported(error)
    assert refused(own_cache) == [message] * remembered
