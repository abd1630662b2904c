"""CRC-32C (Castagnoli), the checksum of TensorFlow's checkpoints, at the speed of NumPy."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
_MOST_LANES = 1 << 14
_BYTES_A_LANE = 64


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of some bytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    count = len(data)
    lanes = 1
    while lanes < _MOST_LANES and count // (2 * lanes) >= _BYTES_A_LANE:
        lanes *= 2
    each = count // lanes
    table = _table()
    state = _ONES
    if lanes > 1:
        head = np.frombuffer(data, np.uint8, lanes * each).reshape(lanes, each)
        state = _over_lanes(head, table)
        data = memoryview(data)[lanes * each :]
    for byte in bytes(data):
        state = int(table[(state ^ byte) & 0xFF]) ^ (state >> 8)
    return state ^ _ONES


def unmasked(stored: int) -> int:
    """A checksum as LevelDB stores it, which adds a constant to it and turns it round.

    >>> unmasked(masked(12345))
    12345
    """
    turned = (stored - 0xA282EAD8) & _ONES
    return ((turned >> 17) | (turned << 15)) & _ONES


def masked(checksum: int) -> int:
    """How LevelDB stores a checksum."""
    return ((((checksum >> 15) | (checksum << 17)) & _ONES) + 0xA282EAD8) & _ONES


@cache
def _table() -> NDArray[np.uint32]:
    """The checksum of each single byte."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(_POLYNOMIAL), values >> 1)
    return values


def _over_lanes(bytes_: NDArray[np.uint8], table: NDArray[np.uint32]) -> int:
    """The state after all bytes (lanes, each), whose lanes lie one behind the other.

    All lanes are stepped through side by side.  A checksum is linear in its bits, so what stands
    before a lane is moved past it by a matrix, and added.
    """
    states = np.zeros(len(bytes_), np.uint32)
    states[0] = _ONES
    for column in np.ascontiguousarray(bytes_.T):
        states = table[(states ^ column) & 0xFF] ^ (states >> np.uint32(8))
    shift = _past_zeros(bytes_.shape[1])
    while len(states) > 1:
        states = _times(shift, states[0::2]) ^ states[1::2]
        shift = _times(shift, shift)
    return int(states[0])


def _past_zeros(count: int) -> NDArray[np.uint32]:
    """What `count` bytes of zero make of each of the 32 bits of a state."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    table = _table()
    square = table[bits & 0xFF] ^ (bits >> np.uint32(8))
    result = bits
    while count:
        if count & 1:
            result = _times(square, result)
        square = _times(square, square)
        count >>= 1
    return result


def _times(matrix: NDArray[np.uint32], vectors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A matrix over bits, given by what it makes of each bit, times many vectors."""
    result = np.zeros_like(vectors)
    for place in range(32):
        result ^= np.where((vectors >> np.uint32(place)) & 1, matrix[place], np.uint32(0))
    return result
