from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_checkpoints import masked, write_checkpoint
from vidclass.backbones.i3d.tf_checkpoint import DATA_SUFFIX, read_index, read_tensors, unmasked
from vidclass.errors import ConfigError, WeightsError

TENSORS = {
    "a/b/beta": np.arange(3, dtype=np.float32),
    "a/b/w": np.random.default_rng(0).normal(size=(2, 1, 3, 4)).astype(np.float32),
    "step": np.float32(7.0).reshape(()),
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "model.ckpt", TENSORS)


@pytest.mark.parametrize("snappy", [False, True])
def test_written_tensors_are_read(tmp_path: Path, snappy: bool) -> None:
    prefix = write_checkpoint(tmp_path / "model.ckpt", TENSORS, snappy=snappy)
    tensors = read_tensors(prefix)
    assert sorted(tensors) == sorted(TENSORS)
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], value)
        assert tensors[name].shape == value.shape


@given(st.integers(0, 0xFFFFFFFF))
def test_checksums_are_stored_masked(checksum: int) -> None:
    assert unmasked(masked(checksum)) == checksum


def test_a_missing_library_is_named_with_its_extra(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    message = r"google_crc32c, which is not installed: pip install 'vidclass\[i3d\]'"
    with pytest.raises(ConfigError, match=message):
        read_tensors(prefix)


@given(st.data())
def test_damage_is_named_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    prefix = write_checkpoint(folder / "m", TENSORS)
    file = folder / data.draw(st.sampled_from(["m.index", "m" + DATA_SUFFIX]))
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    try:
        tensors = read_tensors(prefix)
    except WeightsError as error:
        assert str(folder) in str(error)
        return
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], value)


def test_messages_name_the_file_and_the_remedy(prefix: Path) -> None:
    data = prefix.with_name(prefix.name + DATA_SUFFIX)
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"ends before its tensor 'step': it has 111 bytes"):
        read_tensors(prefix)
    data.write_bytes(bytes(112))
    with pytest.raises(WeightsError, match="tensor 'a/b/beta' is damaged. Fetch the file"):
        read_tensors(prefix)
    data.unlink()
    with pytest.raises(WeightsError, match="cannot read the checkpoint's data .*No such file"):
        read_tensors(prefix)
    index = prefix.with_name(prefix.name + ".index")
    index.write_bytes(b"x" * 60)
    with pytest.raises(WeightsError, match="is not a whole index .*last bytes .*fetch it again"):
        read_index(index)
    index.unlink()
    with pytest.raises(WeightsError, match=r"checkpoint's index .*ckpt\.index: No such"):
        read_tensors(prefix)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"shards": 3}, "the checkpoint is in 3 parts"),
        ({"dtype": 2}, "a tensor has the unknown type 2"),
        ({"dtype": 9}, r"a tensor of shape \(3,\) is said to have 12 bytes"),
    ],
)
def test_unsupported_checkpoints_are_refused(
    tmp_path: Path, odd: dict[str, int], message: str
) -> None:
    prefix = write_checkpoint(tmp_path / "m", TENSORS, **odd)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=message):
        read_tensors(prefix)
