"""Run a function over many items; knows nothing about video."""
