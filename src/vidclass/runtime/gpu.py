"""Whether JAX has a GPU here."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points


@cache
def gpu_at_hand() -> bool:
    """Whether Keras on JAX would compute on a GPU.

    JAX reaches a GPU through a plugin package; without one it is not even imported.
    `JAX_PLATFORMS=cpu` turns GPUs off.
    """
    if not entry_points(group="jax_plugins"):
        return False
    import jax

    return bool(jax.default_backend() == "gpu")
