"""I3D with the weights that its authors published (Apache-2.0)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.files import cache_folder, sha256_of
from vidclass.backbones.initialisers import zero_initialisers
from vidclass.backbones.loading import load_weights_file, named_weights_id, randomise
from vidclass.backbones.tf_checkpoint import DATA_SUFFIX, read_tensors
from vidclass.datasets.download import download
from vidclass.errors import ConfigError, DownloadError, WeightsError, require_choice

if TYPE_CHECKING:
    import keras

# Goes up when a network built here changes its numbers: cached IRs and features are then remade.
REVISION = 1
# Where the authors' repository is served from; another place may hold the same files.
ADDRESS_VARIABLE = "VIDCLASS_I3D_ADDRESS"
_ADDRESS = "https://raw.githubusercontent.com/deepmind/kinetics-i3d/master/data/checkpoints"
WINDOW = 64
_INDEX_SUFFIX = ".index"


@dataclass(frozen=True)
class _Stream:
    """One of the two networks.

    Attributes:
        scope: What its variables' names begin with.
        channels: Of its input.
        folder: Where its checkpoint lies in the authors' repository.
        index_sha256: Of the checkpoint's index, which has the checksum of every tensor.
        data_bytes: The size of the checkpoint's data.
        parameters: How many it has without its classifier.
    """

    scope: str
    channels: int
    folder: str
    index_sha256: str
    data_bytes: int
    parameters: int
    size: int = 224
    width: int = 1024


STREAMS = {
    "i3d_rgb": _Stream(
        "RGB",
        3,
        "rgb_imagenet",
        "f4bfd6f4af485f276c68333d3eca3697b691bb647f0167a03fe021147ca7f8eb",
        50_818_176,
        12_294_544,
    ),
    "i3d_flow": _Stream(
        "Flow",
        2,
        "flow_imagenet",
        "71594ac5f63cb0eb58512a13b56097dc0368d09e5959dffcc6e7a45b19832366",
        50_730_368,
        12_272_592,
    ),
}
# What `--backbone` offers: the other stream sees optical flow, which frames do not hold.
BACKBONES = {"i3d_rgb": STREAMS["i3d_rgb"]}


def build(name: str, *, size: int, weights: str, window: int) -> keras.Model:
    """The RGB network for windows of frames; a module of backbones has this function.

    Raises:
        WeightsError: the weights cannot be had, or are not this network's.
    """
    return load_i3d(name, frames=window, size=size, weights=weights)


def load_i3d(
    name: str,
    *,
    frames: int,
    size: int = 224,
    classes: bool = False,
    weights: str = "pretrained",
) -> keras.Model:
    """One of the two networks, for clips of a fixed length.

    Args:
        name: `i3d_rgb`, for RGB frames in [0, 255], or `i3d_flow`, for optical flow in [-1, 1].
        frames: T.
        size: The side of the pictures.
        classes: Give the logits of the 400 Kinetics classes in place of features.
        weights: `pretrained` for the authors' (trained on ImageNet, then on Kinetics-400), which
            are fetched when they are first used; `random`; the common name of a checkpoint's two
            files, without `.index`; or a Keras weights file.

    Raises:
        ConfigError: there is no such network.
        WeightsError: the weights cannot be had, or are not this network's.
    """
    from vidclass.backbones.i3d import assign_checkpoint, build_i3d

    stream = STREAMS[require_choice("network", name, STREAMS)]
    tensors = None if weights == "random" else _tensors(name, weights)
    with zero_initialisers():
        model = build_i3d(
            frames=frames,
            size=size,
            channels=stream.channels,
            classes=len(kinetics_labels()) if classes else None,
        )
    if tensors is not None:
        assign_checkpoint(model, tensors, stream.scope)
    elif weights == "random":
        randomise(model)
    else:
        load_weights_file(model, name, weights)
    return model


def kinetics_labels() -> list[str]:
    """The 400 classes of Kinetics, in the order of the network's logits."""
    text = files("vidclass.backbones").joinpath("kinetics_400.txt").read_text(encoding="utf-8")
    return text.split("\n")[:400]


def classifier_weights(
    name: str, weights: str = "pretrained"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What makes the 400 logits of features: kernel (1024,400) and bias (400,).

    Raises:
        WeightsError: the weights cannot be had; a Keras file of the network alone has none.
    """
    if weights == "random":
        kernel = np.random.default_rng(0).normal(0, 0.05, (1024, len(kinetics_labels())))
        return kernel.astype(np.float32), np.zeros(len(kinetics_labels()), np.float32)
    tensors = _tensors(name, weights)
    if tensors is None:
        raise WeightsError(f"weights={weights!r} of {name} have no classes: give a checkpoint")
    at = f"{STREAMS[name].scope}/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d"
    try:
        return tensors[f"{at}/w"].reshape(1024, 400), tensors[f"{at}/b"].reshape(400)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"weights={weights!r} of {name} have no 400 classes: {error}") from error


def weights_id(name: str, weights: str) -> str:
    """What tells one set of weights from another."""
    if weights == "pretrained":
        return f"i3d-{REVISION}-{STREAMS[name].index_sha256}"
    prefix = Path(weights)
    if weights != "random" and _index(prefix).is_file():
        return f"i3d-{REVISION}-{sha256_of(_index(prefix))}"
    return f"i3d-{REVISION}-{named_weights_id(name, weights)}"


def weights_state(name: str) -> str:
    """Whether the checkpoint has been fetched."""
    prefix = checkpoint_prefix(name)
    there = _index(prefix).is_file() and _data(prefix).is_file()
    return "at hand" if there else "to be fetched"


def weights_source(_: str) -> str:
    """How missing weights come to this machine."""
    return "by vidclass, when it is first used"


def checkpoint_prefix(name: str) -> Path:
    """Where the authors' checkpoint is kept: the two files' common name."""
    return cache_folder() / "weights" / "i3d" / STREAMS[name].folder / "model.ckpt"


def fetch(name: str) -> Path:
    """Fetch the authors' checkpoint if it is not there; its files' common name.

    The index is compared with a checksum that is known; the data with the checksums in the index,
    when they are read.

    Raises:
        WeightsError: it cannot be fetched.
    """
    stream, prefix = STREAMS[name], checkpoint_prefix(name)
    base = f"{os.environ.get(ADDRESS_VARIABLE, _ADDRESS)}/{stream.folder}/model.ckpt"
    try:
        download(base + _INDEX_SUFFIX, _index(prefix), sha256=stream.index_sha256)
        download(base + DATA_SUFFIX, _data(prefix), size_bytes=stream.data_bytes)
    except (DownloadError, ConfigError) as error:
        raise WeightsError(
            f"the weights of {name} are not on this machine and cannot be fetched: {error} "
            f"Where there is a network, download {base}{_INDEX_SUFFIX} and {base}{DATA_SUFFIX}, "
            f"and put both into {prefix.parent}"
        ) from error
    return prefix


def _tensors(name: str, weights: str) -> dict[str, NDArray[Any]] | None:
    """The tensors of a checkpoint; None for weights of another kind."""
    if weights == "pretrained":
        return read_tensors(fetch(name))
    return read_tensors(Path(weights)) if _index(Path(weights)).is_file() else None


def _index(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + _INDEX_SUFFIX)


def _data(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + DATA_SUFFIX)
