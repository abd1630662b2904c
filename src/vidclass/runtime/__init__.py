"""Run networks fast on this machine."""

from vidclass._core.keras_backend import choose_keras_backend

choose_keras_backend()
