"""Image backbones of KerasHub presets."""
