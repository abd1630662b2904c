from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_checkpoints import write_checkpoint
from vidclass.backbones.crc32c import crc32c, masked, unmasked
from vidclass.backbones.tf_checkpoint import DATA_SUFFIX, read_index, read_tensors
from vidclass.errors import WeightsError

TENSORS = {
    "a/b/beta": np.arange(3, dtype=np.float32),
    "a/b/w": np.random.default_rng(0).normal(size=(2, 1, 3, 4)).astype(np.float32),
    "step": np.float32(7.0).reshape(()),
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "model.ckpt", TENSORS)


@pytest.mark.parametrize("snappy", [False, True])
def test_what_was_written_is_read(tmp_path: Path, snappy: bool) -> None:
    prefix = write_checkpoint(tmp_path / "model.ckpt", TENSORS, snappy=snappy)
    found = read_tensors(prefix)
    assert sorted(found) == sorted(TENSORS)
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].shape == value.shape


def plainly(data: bytes) -> int:
    """CRC-32C bit by bit, as it is defined."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@given(st.binary(max_size=700))
def test_the_checksum_is_crc_32c(data: bytes) -> None:
    assert crc32c(data) == plainly(data)
    assert unmasked(masked(crc32c(data))) == crc32c(data)


def test_the_checksum_of_known_bytes() -> None:
    assert crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


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
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    try:
        found = read_tensors(prefix)
    except WeightsError as error:
        assert str(folder) in str(error)
        return
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(found[name], value)


def test_messages_say_which_file_and_what_to_do(prefix: Path) -> None:
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
def test_what_is_not_read_is_refused(tmp_path: Path, odd: dict[str, int], message: str) -> None:
    prefix = write_checkpoint(tmp_path / "m", TENSORS, **odd)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=message):
        read_tensors(prefix)
