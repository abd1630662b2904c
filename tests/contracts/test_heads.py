"""What every head must do, whatever is inside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from vidclass.bundle.write import head_spec
from vidclass.heads.registry import build_head, heads, load_head
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.openvino_network import OpenVinoNetwork

B, T, D, K = 7, 6, 8, 3
NAMES = sorted(heads())

Inputs = dict[str, NDArray[Any]]


def clips(lengths: list[int], *, frames: int = T, seed: int = 0) -> Inputs:
    """Clips of these lengths, zero-padded to `frames` steps."""
    features = np.random.default_rng(seed).normal(size=(len(lengths), frames, D)).astype("float32")
    mask = np.arange(frames) < np.array(lengths)[:, None]
    return {"features": features * mask[..., None], "mask": mask}


def randomised(name: str, frames: int = T) -> keras.Model:
    """A head with opinions: some start with a last layer of zeros."""
    model = build_head(name, frames, D, K)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0.2, 0.5, weight.shape) for weight in model.weights])
    return model


def logits(model: keras.Model, inputs: Inputs) -> NDArray[np.float64]:
    """The answers; batches are all of one size, because each new size is compiled."""
    count = len(inputs["mask"])
    full = {key: np.resize(value, (B, *value.shape[1:])) for key, value in inputs.items()}
    return np.asarray(model.predict_on_batch(full), np.float64)[:count]


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> keras.Model:
    return randomised(name)


@pytest.fixture(scope="module")
def roomier(name: str) -> keras.Model:
    """The same head for more steps."""
    return randomised(name, T + 5)


def test_names_are_unique_and_models_bear_them(name: str, model: keras.Model) -> None:
    assert model.name == name
    assert list(heads()).count(name) == 1


def test_logits_of_every_clip_even_an_empty_one(model: keras.Model) -> None:
    answer = logits(model, clips([0, 1, T // 2, T]))
    assert answer.shape == (4, K)
    assert np.isfinite(answer).all()
    assert np.ptp(answer[1:], axis=0).min() > 1e-3  # the clips do matter


def test_only_independent_heads_can_say_yes_to_a_class(name: str, model: keras.Model) -> None:
    """A log of shared probabilities is never positive: for several labels a clip it is no use."""
    answer = logits(model, clips([1, 2, T // 2, T - 1, T, T]))
    assert (answer > 0).any() == heads()[name].independent


@pytest.mark.parametrize("garbage", [1e3, -1e30, np.nan, np.inf])
def test_what_stands_in_padded_steps_is_no_matter(model: keras.Model, garbage: float) -> None:
    clean = clips([0, 1, 3, T - 1])
    dirty = clean | {
        "features": np.where(clean["mask"][..., None], clean["features"], np.float32(garbage))
    }
    np.testing.assert_allclose(logits(model, dirty), logits(model, clean), atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_more_padding_changes_no_answer(
    model: keras.Model, roomier: keras.Model, seed: int
) -> None:
    lengths = np.random.default_rng(seed).integers(0, T + 1, 5).tolist()
    short = clips(lengths, seed=seed)
    room = [(0, 0), (0, 5)]
    wide = {
        "features": np.pad(short["features"], [*room, (0, 0)], constant_values=9.0),
        "mask": np.pad(short["mask"], room),
    }
    np.testing.assert_allclose(logits(roomier, wide), logits(model, short), atol=1e-5)


def test_neighbours_in_the_batch_change_no_answer(model: keras.Model) -> None:
    together = clips([2, 4, T])
    alone = {key: value[1:2] for key, value in together.items()}
    np.testing.assert_allclose(logits(model, alone), logits(model, together)[1:2], atol=1e-5)


def test_one_frame_is_enough(name: str) -> None:
    answer = logits(randomised(name, frames=1), clips([0, 1], frames=1))
    assert answer.shape == (2, K)
    assert np.isfinite(answer).all()


def test_training_lowers_the_loss(name: str) -> None:
    keras.utils.set_random_seed(0)
    head = build_head(name, T, D, K)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    head.compile(keras.optimizers.Adam(0.02), loss)
    inputs = clips([0, 1, 2, 3, 4, 5, 6, 6])
    losses = head.fit(inputs, np.arange(8) % K, epochs=30, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(np.isfinite(weight).all() for weight in head.get_weights())


def test_saved_weights_give_the_same_answers(name: str, model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "head.weights.h5"
    model.save_weights(path)
    loaded = load_head(name, T, D, K, str(path))
    np.testing.assert_array_equal(logits(loaded, clips([1, 5])), logits(model, clips([1, 5])))


@pytest.fixture
def half(request: pytest.FixtureRequest) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("half", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_mixed_precision_stays_finite_and_near(name: str, model: keras.Model, half: None) -> None:
    inputs = clips([0, 1, 3, T])
    answer = logits(randomised(name), inputs)
    assert np.isfinite(answer).all()
    exact = logits(model, inputs)
    assert np.abs(answer - exact).max() < 0.1 * np.abs(exact).max()


@pytest.mark.slow
def test_the_openvino_form_gives_the_same_numbers(
    name: str, model: keras.Model, tmp_path: Path
) -> None:
    weights = tmp_path / "head.weights.h5"
    model.save_weights(weights)
    files = ensure_ir(head_spec(name, frames=T, width=D, classes=K, weights=weights))
    network = OpenVinoNetwork.from_files(files.xml, files.bin)
    for lengths in ([0, 1, 2, 3, 4, 5, 6], [4]):  # the batch is free
        inputs = clips(lengths, seed=5)
        np.testing.assert_allclose(network.run(**inputs), logits(model, inputs), atol=1e-4)


def test_order_matters_where_a_head_says_so(name: str, model: keras.Model) -> None:
    inputs = clips([T, T, 4])
    backwards = inputs | {"features": inputs["features"].copy()}
    for row, length in enumerate((T, T, 4)):
        backwards["features"][row, :length] = inputs["features"][row, :length][::-1]
    change = np.abs(logits(model, inputs) - logits(model, backwards)).max(1)
    assert (change > 1e-3).all() if heads()[name].ordered else (change < 1e-4).all()


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
    inputs = clips([0, 1, T // 2, T])
    np.savez(tmp_path / "inputs.npz", **inputs)
    expected = {}
    for name in NAMES:
        model = randomised(name)
        model.save_weights(tmp_path / f"{name}.weights.h5")
        expected[name] = logits(model, inputs)
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", SAME, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, timeout=300)
    for name in NAMES:
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(found, expected[name], atol=1e-4, err_msg=name)
