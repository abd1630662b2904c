"""Build Keras networks without drawing random weights that are replaced at once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
