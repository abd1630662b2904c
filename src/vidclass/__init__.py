"""Turn a folder of labelled videos into a trained, honest, fast, deployable classifier."""

__version__ = "0.1.0"
