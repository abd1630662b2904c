"""Turn a folder of labelled videos into a trained, honest, fast, deployable classifier."""

import os

__version__ = "0.1.0"

# Keras picks its back end once, when it is first imported; without a wish of the user's it would
# look for TensorFlow, which vidclass does not need.
os.environ.setdefault("KERAS_BACKEND", "jax")
