"""The reader of PyTorch checkpoints: right on good files, inert on hostile ones."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidclass.backbones.lite.torch_checkpoint import LEGACY_MAGIC, read_torch_checkpoint
from vidclass.errors import WeightsError

# Pickled by reference under the names that torch gives them.
KINDS = {"<f4": "FloatStorage", "<i8": "LongStorage"}


class Global:
    """Pickles as a reference to `module.name`, whatever that is."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Tensor:
    """Pickles as torch pickles a tensor: a call of the rebuild function on a storage."""

    def __init__(self, key: str, kind: Any, offset: int, shape: Any, strides: Any) -> None:
        self.storage = ("storage", kind, key, "cpu", 0, None)
        self.rest = (offset, shape, strides, False, OrderedDict())


class Writer(pickle._Pickler):  # type: ignore[name-defined]
    """The pickler in Python, taught the three kinds of objects above."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Tensor):
            self.save(Global("torch._utils", "_rebuild_tensor_v2"))
            self.write(pickle.MARK)
            self.save(obj.storage)
            self.write(pickle.BINPERSID)
            for part in obj.rest:
                self.save(part)
            self.write(pickle.TUPLE + pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def pickled(obj: Any) -> bytes:
    file = io.BytesIO()
    Writer(file, 2).dump(obj)
    return file.getvalue()


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[k + 1 :])) for k in range(len(shape)))


def checkpoint(
    tensors: Any, storages: dict[str, NDArray[Any]], *, magic: Any = LEGACY_MAGIC
) -> bytes:
    header = pickled(magic) + pickled(1001) + pickled({"little_endian": True})
    body = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in storages.values())
    return header + pickled(tensors) + pickled(list(storages)) + body


def saved(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Return a checkpoint of contiguous tensors."""
    tensors = OrderedDict()
    for number, (name, array) in enumerate(arrays.items()):
        kind = Global("torch", KINDS[array.dtype.str])
        tensors[name] = Tensor(str(number), kind, 0, array.shape, contiguous(array.shape))
    return checkpoint(tensors, {str(k): array for k, array in enumerate(arrays.values())})


def read(folder: Path, data: bytes) -> dict[str, NDArray[Any]]:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return read_torch_checkpoint(path, sha256=hashlib.sha256(data).hexdigest())


FLOATS = Global("torch", "FloatStorage")
NUMBERS = np.arange(12, dtype="<f4")


@given(
    shapes=st.lists(st.lists(st.integers(1, 4), max_size=4).map(tuple), min_size=1, max_size=4),
    whole=st.booleans(),
)
def test_written_tensors_are_read(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[tuple[int, ...]], whole: bool
) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        f"layer{k}.weight": np.asarray(rng.integers(-99, 99, shape), "<i8" if whole else "<f4")
        for k, shape in enumerate(shapes)
    }
    tensors = read(tmp_path_factory.mktemp("checkpoint"), saved(arrays))
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].dtype == array.dtype


def test_views_of_one_storage_are_read(tmp_path: Path) -> None:
    tensors = {
        "transposed": Tensor("s", FLOATS, 0, (4, 3), (1, 4)),
        "late": Tensor("s", FLOATS, 10, (2,), (1,)),
        "one": Tensor("s", FLOATS, 11, (), ()),
    }
    arrays = read(tmp_path, checkpoint(tensors, {"s": NUMBERS}))
    np.testing.assert_array_equal(arrays["transposed"], NUMBERS.reshape(3, 4).T)
    np.testing.assert_array_equal(arrays["late"], [10, 11])
    assert arrays["one"] == 11


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (13,), (1,)),
        (1, (12,), (1,)),
        (12, (), ()),
        (0, (3, 4), (5, 1)),
        (-1, (2,), (1,)),
        (4, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (2,), (2**62,)),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...], tmp_path: Path
) -> None:
    data = checkpoint({"w": Tensor("s", FLOATS, offset, shape, strides)}, {"s": NUMBERS})
    message = r"weights.pth: a tensor of shape .* lies outside its storage of 12 numbers"
    with pytest.raises(WeightsError, match=message):
        read(tmp_path, data)


class Calls:
    """Unpickling calls `function` with `argument`: what a hostile file does."""

    def __init__(self, function: Any, argument: str) -> None:
        self.function, self.argument = function, argument

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return self.function, (self.argument,)


@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, r"(posix|nt)\.system"), (eval, r"(__builtin__|builtins)\.eval")],
)
@pytest.mark.parametrize("position", ["instead of the magic number", "among the tensors"])
def test_nothing_in_a_checkpoint_is_executed(
    function: Any, named: str, position: str, tmp_path: Path
) -> None:
    trace = tmp_path / "executed"
    code = f"echo > {trace}" if function is os.system else f"open({str(trace)!r}, 'w')"
    evil = Calls(function, code)
    magic, tensors = (evil, {}) if position.startswith("instead") else (LEGACY_MAGIC, {"w": evil})
    message = rf"weights.pth: the checkpoint asks for {named}, which weights never need"
    with pytest.raises(WeightsError, match=message):
        read(tmp_path, checkpoint(tensors, {}, magic=magic))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("module", "name"), [("torch", "load"), ("torch._utils", "_rebuild"), ("numpy", "load")]
)
def test_other_names_of_known_modules_are_refused(module: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=rf"the checkpoint asks for {module}\.{name}, which"):
        read(tmp_path, checkpoint({"w": Global(module, name)}, {}))


@pytest.mark.parametrize("kind", [FLOATS, "float"])
def test_an_unknown_storage_is_refused(kind: Any, tmp_path: Path) -> None:
    tensor = Tensor("s", kind, 0, (12,), (1,))
    if kind is FLOATS:
        tensor.storage = ("module", *tensor.storage[1:])
    with pytest.raises(WeightsError, match=r"the checkpoint has an unknown storage: \("):
        read(tmp_path, checkpoint({"w": tensor}, {"s": NUMBERS}))


def test_another_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(saved({"w": NUMBERS}))
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    message = rf"weights.pth has SHA-256 {checksum}, expected 00ff: install it again"
    with pytest.raises(WeightsError, match=message):
        read_torch_checkpoint(path, sha256="00ff")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    message = r"cannot read the weights .*weights.pth: No such file or directory"
    with pytest.raises(WeightsError, match=message):
        read_torch_checkpoint(tmp_path / "weights.pth", sha256="")


def test_a_storage_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"weights.pth: the file ends 5 bytes too early"):
        read(tmp_path, saved({"w": NUMBERS})[:-5])


@pytest.mark.parametrize("tensors", [{"w": 3}, [1, 2], {"w": Tensor("s", FLOATS, 0, (2, 2), (1,))}])
def test_a_checkpoint_of_other_objects_is_refused(tensors: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"weights.pth is not a checkpoint of plain tensors: "):
        read(tmp_path, checkpoint(tensors, {"s": NUMBERS} if "w" in tensors else {}))


def test_a_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    message = r"weights.pth: the first number is not that of a PyTorch checkpoint"
    with pytest.raises(WeightsError, match=message):
        read(tmp_path, pickle.dumps(7))


@given(cut=st.integers(0, 400))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    data = saved({"w": NUMBERS, "b": NUMBERS})
    with pytest.raises(WeightsError, match=r"weights.pth(:| is not a checkpoint)"):
        read(tmp_path_factory.mktemp("cut"), data[: min(cut, len(data) - 1)])


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    with pytest.raises(WeightsError, match=r"weights.pth(:| is not a checkpoint)"):
        read(tmp_path_factory.mktemp("bytes"), data)
