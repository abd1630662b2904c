"""The rules that every head keeps, whatever is inside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidclass.bundle.write import head_spec
from vidclass.heads.registry import build_head, load_head, parse_head
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.openvino_network import OpenVinoNetwork

if TYPE_CHECKING:
    import keras

B, T, D, K = 7, 6, 8, 3
_PADDING = 5  # more steps in `check_padding`

Inputs = dict[str, NDArray[Any]]
Check = Callable[[str], None]


def example_clips(lengths: list[int], *, frames: int = T, seed: int = 0) -> Inputs:
    """Return clips of these lengths, zero-padded: features (B,frames,D), mask (B,frames)."""
    features = np.random.default_rng(seed).normal(size=(len(lengths), frames, D)).astype("float32")
    mask = np.arange(frames) < np.array(lengths)[:, None]
    return {"features": features * mask[..., None], "mask": mask}


@cache
def example_head(name: str, frames: int = T) -> keras.Model:
    """Return a head with random weights in every layer, some of which start as zeros."""
    model = build_head(name, frames, D, K)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0.2, 0.5, weight.shape) for weight in model.weights])
    return model


def logits_of(model: keras.Model, inputs: Inputs) -> NDArray[np.float64]:
    """Return logits (B,K), computed in batches of one size: JAX compiles each size anew."""
    count = len(inputs["mask"])
    full = {key: np.resize(value, (B, *value.shape[1:])) for key, value in inputs.items()}
    return np.asarray(model.predict_on_batch(full), np.float64)[:count]


def check_name(name: str) -> None:
    """Require that the model has its function's name, and the head a description."""
    entry, _ = parse_head(name)
    _require(example_head(name).name == entry.name, f"the model is not named {entry.name!r}")
    _require(bool(entry.summary.strip()), f"head {entry.name!r} has no docstring")


def check_logits(name: str) -> None:
    """Require finite logits (B,K), even for an empty clip, that depend on the clip."""
    logits = logits_of(example_head(name), example_clips([0, 1, T // 2, T]))
    _require(logits.shape == (4, K), f"logits have the shape {logits.shape}, not (4, {K})")
    _require(bool(np.isfinite(logits).all()), f"logits are not finite: {logits}")
    _require(np.ptp(logits[1:], axis=0).min() > 1e-3, "logits do not depend on the clip")


def check_single_frame(name: str) -> None:
    """Require finite logits of a head that is built for clips of one frame."""
    logits = logits_of(example_head(name, 1), example_clips([0, 1], frames=1))
    _require(logits.shape == (2, K) and bool(np.isfinite(logits).all()), f"got {logits}")


def check_padded_values(name: str) -> None:
    """Require that values in padded steps change no logit, whatever they are."""
    model, clean = example_head(name), example_clips([0, 1, 3, T - 1])
    for value in (1e3, -1e30, np.nan, np.inf):
        features = np.where(clean["mask"][..., None], clean["features"], np.float32(value))
        _require_close(model, clean | {"features": features}, logits_of(model, clean))


def check_padding(name: str) -> None:
    """Require that more padded steps change no logit."""
    longer = example_head(name, T + _PADDING)
    for seed in range(3):
        lengths = np.random.default_rng(seed).integers(0, T + 1, 5).tolist()
        short = example_clips(lengths, seed=seed)
        after = [(0, 0), (0, _PADDING)]
        padded = {
            "features": np.pad(short["features"], [*after, (0, 0)], constant_values=9.0),
            "mask": np.pad(short["mask"], after),
        }
        _require_close(longer, padded, logits_of(example_head(name), short))


def check_batch(name: str) -> None:
    """Require that the logits of a clip do not depend on the others in its batch."""
    model, together = example_head(name), example_clips([2, 4, T])
    alone = {key: value[1:2] for key, value in together.items()}
    _require_close(model, alone, logits_of(model, together)[1:2])


def check_order(name: str) -> None:
    """Require that clips played backwards change the logits if, and only if, `ordered` is set."""
    lengths = [T, T, 4]
    inputs = example_clips(lengths)
    reversed_features = inputs["features"].copy()
    for row, length in enumerate(lengths):
        reversed_features[row, :length] = inputs["features"][row, :length][::-1]
    model, backwards = example_head(name), inputs | {"features": reversed_features}
    change = np.abs(logits_of(model, inputs) - logits_of(model, backwards)).max(1)
    ordered = parse_head(name)[0].ordered
    kept = (change > 1e-3).all() if ordered else (change < 1e-4).all()
    _require(bool(kept), f"ordered={ordered}, but backwards the logits change by {change}")


def check_independence(name: str) -> None:
    """Require that logits can be positive if, and only if, `independent` is set."""
    logits = logits_of(example_head(name), example_clips([1, 2, T // 2, T - 1, T, T]))
    independent = parse_head(name)[0].independent
    _require(bool((logits > 0).any()) == independent, f"independent={independent}, got {logits}")


def check_training(name: str) -> None:
    """Require that training lowers the loss and keeps weights finite, even with an empty clip."""
    import keras

    keras.utils.set_random_seed(0)
    model = build_head(name, T, D, K)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    inputs = example_clips([0, 1, 2, 3, 4, 5, 6, 6])
    losses = model.fit(inputs, np.arange(8) % K, epochs=30, verbose=0).history["loss"]
    _require(bool(np.isfinite(losses).all()) and losses[-1] < losses[0], f"losses: {losses}")
    finite = all(np.isfinite(weight).all() for weight in model.get_weights())
    _require(finite, "training leaves weights that are not finite")


def check_saved_weights(name: str) -> None:
    """Require the same logits from weights that were saved and loaded."""
    model, inputs = example_head(name), example_clips([1, 5])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "head.weights.h5"
        model.save_weights(path)
        loaded = load_head(name, T, D, K, str(path))
    _require_close(loaded, inputs, logits_of(model, inputs), tolerance=0)


def check_openvino(name: str) -> None:
    """Require the same logits from the OpenVINO form, for any batch size."""
    model = example_head(name)
    with TemporaryDirectory() as folder:
        weights = Path(folder) / "head.weights.h5"
        model.save_weights(weights)
        files = ensure_ir(head_spec(name, frames=T, width=D, classes=K, weights=weights))
    network = OpenVinoNetwork.from_files(files.xml, files.bin)
    for lengths in ([0, 1, 2, 3, 4, 5, 6], [4]):
        inputs = example_clips(lengths, seed=5)
        expected = logits_of(model, inputs)
        np.testing.assert_allclose(network.run(**inputs), expected, atol=1e-4)


HEAD_CHECKS: tuple[Check, ...] = (
    check_name,
    check_logits,
    check_single_frame,
    check_padded_values,
    check_padding,
    check_batch,
    check_order,
    check_independence,
    check_training,
    check_saved_weights,
    check_openvino,
)


def check_head(name: str) -> None:
    """Check every rule for a registered head, settings included: `"my_head(units=8)"`.

    Raises:
        ConfigError: there is no such head.
        AssertionError: a rule is broken.
    """
    for check in HEAD_CHECKS:
        try:
            check(name)
        except AssertionError as error:
            rule = f"head {name!r}, {check.__name__}: {check.__doc__}"
            raise AssertionError(f"{rule}\n{error}") from error


def _require(kept: bool, message: str) -> None:
    if not kept:
        raise AssertionError(message)


def _require_close(
    model: keras.Model, inputs: Inputs, expected: NDArray[np.float64], *, tolerance: float = 1e-5
) -> None:
    np.testing.assert_allclose(logits_of(model, inputs), expected, atol=tolerance, rtol=tolerance)
