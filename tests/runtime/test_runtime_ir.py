"""IRs: made once, checked against Keras, cached, made again when damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidclass.errors import RuntimeRouteError, WeightsError
from vidclass.runtime import ir
from vidclass.runtime.ir import IrFiles, ensure_ir
from vidclass.runtime.network import OpenVinoNetwork
from vidclass.runtime.recipe import NetworkRecipe, probe_inputs

Made = Callable[..., NetworkRecipe]


def must_not_run(*_: Any) -> None:
    raise AssertionError("made again")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ir"


@pytest.fixture
def copies(tiny_ir: IrFiles, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every making of an IR copies the session's one; the list holds the folders."""
    made: list[Path] = []

    def copy(_: NetworkRecipe, folder: Path, __: Path) -> None:
        made.append(folder)
        shutil.copytree(tiny_ir.xml.parent, folder, dirs_exist_ok=True)

    monkeypatch.setattr(ir, "_make", copy)
    return made


@pytest.mark.slow
def test_a_made_ir_gives_keras_numbers_for_any_batch(tiny_ir: IrFiles, made: Made) -> None:
    from made_networks import tiny

    network = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin)
    model = tiny(32)
    rng = np.random.default_rng(3)
    assert tiny_ir.parity < 1e-5
    for count in (1, 2, 5):
        frames = rng.integers(0, 256, (count, 32, 32, 3), np.uint8)
        expected = np.asarray(model(frames.astype("float32")))
        np.testing.assert_allclose(network.run(frames=frames), expected, atol=1e-5)


def test_an_entry_holds_the_ir_and_its_facts_alone(tiny_ir: IrFiles, made: Made) -> None:
    folder = tiny_ir.xml.parent
    assert {path.name for path in folder.iterdir()} == {"ir.json", "model.xml", "model.bin"}
    assert [path.name for path in folder.parent.glob(".*")] == []
    facts = json.loads((folder / "ir.json").read_text())
    assert facts["recipe"]["builder"] == made("tiny").builder
    assert facts["parity"] == tiny_ir.parity


def test_a_second_call_makes_nothing(
    tiny_ir: IrFiles, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_ir.xml.parent.iterdir()}
    monkeypatch.setattr(ir, "_make", must_not_run)
    assert ensure_ir(made("tiny")) == tiny_ir
    assert {path: path.stat().st_mtime_ns for path in tiny_ir.xml.parent.iterdir()} == before


def drop_weights(folder: Path) -> None:
    (folder / "model.bin").unlink()


def change_network(folder: Path) -> None:
    with (folder / "model.xml").open("a") as file:
        file.write(" ")


def cut_facts(folder: Path) -> None:
    (folder / "ir.json").write_text('{"model.xml": ')


def empty_facts(folder: Path) -> None:
    (folder / "ir.json").write_text("{}")


@pytest.mark.parametrize("damage", [drop_weights, change_network, cut_facts, empty_facts])
def test_a_damaged_entry_is_made_again(
    damage: Callable[[Path], None], copies: list[Path], made: Made, own_cache: Path
) -> None:
    first = ensure_ir(made("tiny"))
    damage(first.xml.parent)
    again = ensure_ir(made("tiny"))
    assert len(copies) == 2
    assert again == first
    assert ensure_ir(made("tiny")) == first
    assert len(copies) == 2
    assert [path.name for path in own_cache.iterdir()] == [made("tiny").fingerprint()]


def test_a_damaged_entry_may_be_discarded_by_another_process_first(
    copies: list[Path], made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ensure_ir(made("tiny")).xml.parent
    drop_weights(folder)
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        shutil.rmtree(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert ensure_ir(made("tiny")).bin.is_file()


def test_an_entry_that_stays_damaged_is_an_error(
    copies: list[Path], made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ir, "_checked", lambda _: None)
    with pytest.raises(RuntimeRouteError, match=r"the cached network in .* changes while it is"):
        ensure_ir(made("tiny"))


def test_two_processes_at_once_both_get_the_same_ir(
    tiny_ir: IrFiles, made: Made, own_cache: Path
) -> None:
    script = (
        "import shutil, sys, time\n"
        "from vidclass.runtime import ir\n"
        "from vidclass.runtime.recipe import NetworkRecipe\n"
        "def copy(recipe, folder, refused):\n"
        "    print('making', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    shutil.copytree(sys.argv[1], folder, dirs_exist_ok=True)\n"
        "ir._make = copy\n"
        "recipe = NetworkRecipe('made_networks:tiny', {'size': 32}, identity='test', frames=True)\n"
        "print(ir.ensure_ir(recipe).xml)"
    )
    command = [sys.executable, "-c", script, str(tiny_ir.xml.parent)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    assert [process.stdout and process.stdout.readline() for process in both] == ["making\n"] * 2
    printed = [process.communicate("\n")[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    xml = own_cache / made("tiny").fingerprint() / "model.xml"
    assert printed == [f"{xml}\n"] * 2
    assert list(own_cache.iterdir()) == [xml.parent]


@pytest.mark.slow
def test_a_network_with_other_numbers_is_refused_and_remembered(
    made: Made, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = made("other_numbers_by_backend")
    message = (
        r"the OpenVINO form of made_networks:other_numbers_by_backend with {'size': 32} differs "
        r"from Keras by 0\.\d+ of its largest output, allowed: 0\.0001"
    )
    with pytest.raises(RuntimeRouteError, match=message):
        ensure_ir(recipe)
    assert [path.name for path in own_cache.iterdir()] == [f"{recipe.fingerprint()}.refused.txt"]
    monkeypatch.setattr(ir, "_make", must_not_run)
    with pytest.raises(RuntimeRouteError, match=message):
        ensure_ir(recipe)


class Finished:
    """A child process that has come to its end."""

    def __init__(self, returncode: int = 0, output: str = "") -> None:
        self.returncode, self._output = returncode, output

    def communicate(self) -> tuple[str, None]:
        return self._output, None

    kill = wait = communicate


@pytest.mark.slow
def test_missing_weights_cross_the_process_border(
    made: Made, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ir._start
    monkeypatch.setattr(
        ir, "_start", lambda task, *rest: start(task, *rest) if task == "export" else Finished()
    )
    with pytest.raises(WeightsError, match=r"the weights of size=32 are not here: fetch them"):
        ensure_ir(made("without_weights"))
    assert list(own_cache.iterdir()) == []


def test_a_defect_in_a_child_is_shown(
    made: Made, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = "\n".join(f"line {k}" for k in range(20)) + "\nZeroDivisionError: a defect\n"
    monkeypatch.setattr(ir, "_start", lambda *_: Finished(1, output))
    message = r"the export of a network failed in a child process:\nline 13\n(.*\n)*.*: a defect$"
    with pytest.raises(RuntimeRouteError, match=message):
        ensure_ir(made("tiny"))
    assert list(own_cache.iterdir()) == []


def export(recipe: NetworkRecipe, folder: Path) -> OpenVinoNetwork:
    child = ir._start("export", recipe, folder, "openvino")
    output, _ = child.communicate()
    assert child.returncode == 0, output
    return OpenVinoNetwork.from_files(folder / "model.xml", folder / "model.bin")


@pytest.mark.slow
def test_a_network_that_refuses_channels_first_is_exported_as_it_is(
    made: Made, tiny_ir: IrFiles, tmp_path: Path
) -> None:
    network = export(made("only_channels_last"), tmp_path)
    inputs = probe_inputs(made("tiny"))
    expected = OpenVinoNetwork.from_files(tiny_ir.xml, tiny_ir.bin).run(**inputs)
    np.testing.assert_allclose(network.run(**inputs), expected, atol=1e-5)


@pytest.mark.slow
def test_a_head_is_exported_with_its_two_inputs(made: Made, tmp_path: Path) -> None:
    inputs = probe_inputs(made("head"))
    outputs = export(made("head"), tmp_path).run(**inputs)
    np.testing.assert_allclose(outputs, inputs["features"].sum(1), atol=1e-5)


@pytest.mark.slow
def test_a_head_that_cannot_be_exported_is_not_tried_again(made: Made, tmp_path: Path) -> None:
    recipe = NetworkRecipe(made("defective").builder, {"size": 3}, "test", frames=False)
    child = ir._start("export", recipe, tmp_path, "openvino")
    assert child.communicate()[0].count("ZeroDivisionError: a defect of size 3") == 1
    assert child.returncode == 1


class Answer:
    """A compiled network that gives one answer, or raises it."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def run(self, **_: Any) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "reference", "parity"),
    [
        (np.full((3, 4), 2.0), np.full((3, 4), 2.0), 0.0),
        (np.full((3, 4), 2.2), np.full((3, 4), 2.0), 0.1),
        (np.zeros((3, 5)), np.zeros((3, 4)), np.inf),
        (np.full((3, 4), np.nan), np.full((3, 4), np.nan), np.inf),
        (np.full((3, 4), np.nan), np.full((3, 4), 2.0), np.nan),
        (RuntimeError("a batch of one is baked in"), np.zeros((3, 4)), np.inf),
    ],
)
def test_parity_is_the_largest_difference_as_a_part_of_the_largest_output(
    answer: Any,
    reference: np.ndarray,
    parity: float,
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    np.save(tmp_path / "reference.npy", reference)
    monkeypatch.setattr(ir.OpenVinoNetwork, "from_files", lambda *_: Answer(answer))
    assert ir._parity(made("tiny"), tmp_path) == pytest.approx(parity, nan_ok=True)


def test_a_network_of_nans_does_not_pass(
    made: Made, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ir, "_start", lambda *_: Finished())
    monkeypatch.setattr(ir, "_parity", lambda *_: float("nan"))
    with pytest.raises(RuntimeRouteError, match=r"differs from Keras by nan"):
        ensure_ir(made("tiny"))
