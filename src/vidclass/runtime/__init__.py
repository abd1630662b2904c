"""Run networks on this machine, through OpenVINO or Keras."""

from vidclass._core.keras_backend import choose_keras_backend

choose_keras_backend()
