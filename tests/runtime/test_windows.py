"""Networks that see several frames at once, by both routes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.keras_network import KerasNetwork
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.runtime.openvino_network import OpenVinoNetwork


@pytest.mark.slow
def test_openvino_and_keras_say_the_same_of_windows(made: Callable[..., NetworkSpec]) -> None:
    spec = made("windowed", size=16, window=4)
    files = ensure_ir(spec)
    openvino, keras = OpenVinoNetwork.from_files(files.xml, files.bin), KerasNetwork(spec)
    assert keras.batch_frames == 32
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 16, 16, 3), np.uint8)
    expected = keras.run(frames=frames)
    assert expected.shape == (3, 4)
    np.testing.assert_allclose(openvino.run(frames=frames), expected, atol=1e-4)
