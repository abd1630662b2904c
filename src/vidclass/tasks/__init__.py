"""Label tasks: from labels to targets, losses, decisions and metrics."""

from vidclass._core.keras_backend import choose_keras_backend

choose_keras_backend()
