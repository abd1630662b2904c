"""Read a PyTorch checkpoint of plain tensors without PyTorch and without running its pickle.

A checkpoint is a pickle, and unpickling runs whatever the file says.  The reader below knows four
names (an ordered dictionary, a tensor's rebuild function and two kinds of storage), maps them to
inert classes of its own, and refuses every other name.  It reads the layout of torch.save before
version 1.6: three header pickles, the object, the storage keys, then the raw storages.
"""

from __future__ import annotations

import hashlib
import io
import pickle  # noqa: S403  # only its opcodes are used: see _Restricted.find_class
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidclass.errors import WeightsError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Tensor:
    key: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    key, dtype = storage
    return _Tensor(key, dtype, int(offset), tuple(shape), tuple(strides))


class _Restricted(pickle.Unpickler):
    """An unpickler that can build nothing but ordered dictionaries of tensor descriptions."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise WeightsError(f"the checkpoint asks for {module}.{name}, which weights never need")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        kind, dtype, key = pid[:3]
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise WeightsError(f"the checkpoint has an unknown storage: {pid!r}")
        return str(key), dtype


def read_torch_checkpoint(path: Path, *, sha256: str) -> dict[str, NDArray[Any]]:
    """Return the tensors of a checkpoint by name, in their original shapes.

    Args:
        path: File written by torch.save before version 1.6 (a flat dictionary of tensors).
        sha256: Expected checksum of the whole file.

    Raises:
        WeightsError: the file is missing, changed, damaged, or holds anything but tensors.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror}") from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256:
        raise WeightsError(f"{path} has SHA-256 {actual}, expected {sha256}: install it again")
    try:
        return _parse(io.BytesIO(data))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise WeightsError(f"{path} is not a checkpoint of plain tensors: {error}") from error


def _parse(file: BinaryIO) -> dict[str, NDArray[Any]]:
    if _Restricted(file).load() != LEGACY_MAGIC:
        raise WeightsError("the first number is not that of a PyTorch checkpoint")
    _Restricted(file).load()  # protocol version
    _Restricted(file).load()  # sizes of the writer's integers
    tensors: OrderedDict[str, _Tensor] = _Restricted(file).load()
    keys: list[str] = _Restricted(file).load()
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    storages = {str(key): _read_storage(file, dtypes[str(key)]) for key in keys}
    return {name: _view(tensor, storages[tensor.key]) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    (count,) = struct.unpack("<q", file.read(8))
    data = file.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise WeightsError(f"the file ends {count * dtype.itemsize - len(data)} bytes too early")
    return np.frombuffer(data, dtype)


def _view(tensor: _Tensor, storage: NDArray[Any]) -> NDArray[Any]:
    spans = (step * (n - 1) for step, n in zip(tensor.strides, tensor.shape, strict=True))
    last = tensor.offset + sum(spans)
    if min(*tensor.strides, *tensor.shape, tensor.offset, 0) < 0 or last >= len(storage):
        raise WeightsError(
            f"a tensor of shape {tensor.shape} and strides {tensor.strides} lies outside its "
            f"storage of {len(storage)} numbers"
        )
    view = np.lib.stride_tricks.as_strided(
        storage[tensor.offset :],
        tensor.shape,
        [step * storage.itemsize for step in tensor.strides],
        writeable=False,
    )
    return np.ascontiguousarray(view)
