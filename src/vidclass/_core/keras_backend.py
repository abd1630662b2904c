"""The default back end of Keras, chosen by the packages that import Keras."""

from __future__ import annotations

import os


def choose_keras_backend() -> None:
    """Let Keras run on JAX unless `KERAS_BACKEND` says otherwise.

    Keras picks its back end once, when it is first imported, and would look for TensorFlow, which
    vidclass does not need.  Packages whose modules import Keras call this in their `__init__`.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
