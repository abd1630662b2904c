"""Tone mapping: PQ and HLG images as an SDR screen would show them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vidclass.types import UInt8Array

# AVCOL_TRC_SMPTE2084 and AVCOL_TRC_ARIB_STD_B67.
PQ, HLG = 16, 18
HDR_TRANSFERS = frozenset({PQ, HLG})

# ITU-R BT.2408: the level of diffuse white, which SDR shows as its white.
_WHITE_NITS = 203.0
_HLG_PEAK_NITS, _HLG_GAMMA = 1000.0, 1.2
_SCREEN_GAMMA = 2.4

_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
_2020_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
_STEPS = 4096


def to_sdr(image: UInt8Array, transfer: int) -> UInt8Array:
    """Convert BT.2020 colours coded by PQ or HLG to BT.709; (H,W,3) uint8 both.

    Light of 203 nits, the reference white of ITU-R BT.2408, becomes full white.  Brighter light
    (lamps, glints) and colours outside BT.709 are clipped; the rest keeps its brightness.
    HLG is first shown on its own reference screen of 1,000 nits.

    Args:
        image: The coded colours.
        transfer: FFmpeg's number of the transfer function, one of `HDR_TRANSFERS`.
    """
    light = _light(transfer)[image]
    if transfer == HLG:
        luma = light @ _LUMA_2020
        light *= (luma ** (_HLG_GAMMA - 1))[..., None] * (_HLG_PEAK_NITS / _WHITE_NITS)
    shown = (light @ _2020_TO_709.T).clip(0, 1)
    # Rounding on the root, not on the light itself, keeps the shadows apart.
    sdr: UInt8Array = _screen_codes()[np.rint(np.sqrt(shown) * (_STEPS - 1)).astype(np.int64)]
    return sdr


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Return the light that each of the 256 codes stands for; (256,).

    PQ: light as a multiple of the reference white.  HLG: light in the scene, at most 1.
    """
    code = np.arange(256) / 255
    if transfer == PQ:
        # SMPTE ST 2084.
        root = code ** (1 / 78.84375)
        nits = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
            1 / 0.1593017578125
        )
        return (nits / _WHITE_NITS).astype(np.float32)
    # ITU-R BT.2100.
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _screen_codes() -> UInt8Array:
    """Return the code of each square root of light, for a screen of ITU-R BT.1886; (4096,)."""
    light = np.linspace(0, 1, _STEPS) ** 2
    return np.rint(255 * light ** (1 / _SCREEN_GAMMA)).astype(np.uint8)
