"""Weights of Keras networks: files, reproducible random ones, and building without drawing any."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidclass._core.files import sha256_of
from vidclass.errors import WeightsError

if TYPE_CHECKING:
    import keras

# Goes up when `random` weights become others.
RANDOM_REVISION = 2
# Keras's initialisers that are cheap, and whose values some networks depend on.
_CONSTANT = ("Constant", "Identity", "Initializer", "Ones", "STFT", "Zeros")


class _AlwaysZeros:
    """Stand-in for the class of a random initialiser, whatever its settings."""

    @classmethod
    def from_config(cls, _: dict[str, Any]) -> Any:
        """Return Keras's own zeros, so that the layers can still be cloned and saved."""
        import keras

        return keras.initializers.Zeros()


@contextmanager
def zero_initialisers() -> Iterator[None]:
    """Start kernels of Keras layers created inside at zero; only in the current thread.

    For networks whose weights are all loaded or set before they are used.  Under JAX, Keras
    compiles a random initialiser for every shape of weights, which takes most of the time of
    building a network.  Initialisers given by name or settings are replaced, not ready objects.
    """
    import keras

    random = [
        name
        for name, value in vars(keras.initializers).items()
        if inspect.isclass(value) and value.__name__ not in _CONSTANT
    ]
    with keras.saving.custom_object_scope(dict.fromkeys(random, _AlwaysZeros)):
        yield


def load_weights_file(model: keras.Model, name: str, path: str) -> None:
    """Load a `.weights.h5` file that Keras wrote for this very network.

    Args:
        model: The network.
        name: Name of the backbone, for messages.
        path: The file.

    Raises:
        WeightsError: the file is missing or does not fit.
    """
    _require_file(name, path)
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise many kinds for a file that does not fit
        # Some of Keras's messages print all weights.
        why = f"{error}" if len(f"{error}") < 1000 else f"{error}"[:500] + " ..."
        raise WeightsError(f"{path} does not hold weights of {name}: {why}") from error


def weights_owner(model: keras.Model) -> keras.Model:
    """Return the network behind the preprocessing, whose weights a file holds; else `model`."""
    import keras

    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    alone = len(inner) == 1 and len(inner[0].weights) == len(model.weights)
    return inner[0] if alone else model


def file_or_random_id(name: str, weights: str) -> str:
    """Return the identity of `random` weights or of a weights file.

    Raises:
        WeightsError: the file is missing.
    """
    if weights == "random":
        return f"random-{RANDOM_REVISION}"
    return sha256_of(_require_file(name, weights))


def _require_file(name: str, weights: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise WeightsError(
            f"weights={weights!r} of {name} is neither 'pretrained' nor 'random' nor a file"
        )
    return path


def randomise(model: keras.Model, seed: int = 0) -> None:
    """Set random weights, the same under every Keras back end.

    Kernels are normal with variance 2/fan-in (He et al. 2015), so that signals neither vanish nor
    explode; scales and variances are 1, everything else 0.  Where EfficientNets add the output of a
    block to its input, it is halved: twenty such sums otherwise multiply signals by a thousand,
    their gates saturate, and a rounding difference becomes one of a tenth of the features.
    """
    rng = np.random.default_rng(seed)
    values = []
    for weight in model.weights:
        shape = tuple(weight.shape)
        if len(shape) > 1:
            fan_in = int(np.prod(shape[:-1])) if len(shape) != 4 or shape[3] > 1 else shape[0] ** 2
            values.append(rng.normal(0, np.sqrt(2 / fan_in), shape).astype("float32"))
        elif weight.name in ("gamma", "moving_variance", "variance"):
            damped = weight.name == "gamma" and "project_bn" in weight.path
            values.append(np.full(shape, 0.5 if damped else 1.0, "float32"))
        else:
            values.append(np.zeros(shape, "float32"))
    model.set_weights(values)
