"""Every head keeps the rules of `vidclass.testing`, in mixed precision and on Torch too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from vidclass.heads.registry import heads
from vidclass.testing import HEAD_CHECKS
from vidclass.testing.heads import Check, T, example_clips, example_head, logits_of

NAMES = sorted(heads())


@pytest.mark.parametrize("check", HEAD_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_a_head_keeps_every_rule(name: str, check: Check) -> None:
    check(name)


@pytest.fixture
def half(request: pytest.FixtureRequest) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("half", ["mixed_bfloat16", "mixed_float16"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_stays_finite_and_near(name: str, half: None) -> None:
    inputs = example_clips([0, 1, 3, T])
    reduced = logits_of(example_head.__wrapped__(name), inputs)
    assert np.isfinite(reduced).all()
    exact = logits_of(example_head(name), inputs)
    assert np.abs(reduced - exact).max() < 0.1 * np.abs(exact).max()


TORCH = """
import numpy as np
from vidclass.heads.registry import heads, build_head
import keras
assert keras.backend.backend() == "torch"
inputs = {"features": np.ones((2, 4, 8), "float32"), "mask": np.arange(4) < [[0], [3]]}
for name in heads():
    head = build_head(name, 4, 8, 3)
    head.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    head.fit(inputs, np.array([0, 1]), verbose=0)
    assert np.isfinite(head.predict(inputs, verbose=0)).all(), name
"""

SAME = """
import sys
import numpy as np
from vidclass.heads.registry import heads, load_head
import keras
assert keras.backend.backend() == "torch"
folder = sys.argv[1]
given = np.load(f"{folder}/inputs.npz")
inputs = {"features": given["features"], "mask": given["mask"]}
for name in heads():
    head = load_head(name, given["mask"].shape[1], given["features"].shape[2], 3,
                     f"{folder}/{name}.weights.h5")
    np.save(f"{folder}/{name}.npy", head.predict(inputs, verbose=0))
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_every_head_trains_on_torch() -> None:
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", TORCH], env=environment, check=True, timeout=300)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_every_head_says_on_torch_what_it_says_on_jax(tmp_path: Path) -> None:
    inputs = example_clips([0, 1, T // 2, T])
    np.savez(tmp_path / "inputs.npz", **inputs)
    expected = {}
    for name in NAMES:
        model = example_head(name)
        model.save_weights(tmp_path / f"{name}.weights.h5")
        expected[name] = logits_of(model, inputs)
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", SAME, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, timeout=300)
    for name in NAMES:
        on_torch = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(on_torch, expected[name], atol=1e-4, err_msg=name)
