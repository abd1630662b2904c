"""Fit heads, cross-validate, keep everything in a run folder."""

from vidclass._core.keras_backend import choose_keras_backend

choose_keras_backend()
