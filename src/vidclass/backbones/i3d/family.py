"""The family of I3D backbones, with the weights that the authors published (Apache-2.0)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidclass._core.files import cache_folder, sha256_of
from vidclass.backbones.family import Backbone, BackboneFamily, WeightsState
from vidclass.backbones.i3d.tf_checkpoint import DATA_SUFFIX, read_tensors, require_crc32c
from vidclass.backbones.keras_weights import (
    file_or_random_id,
    load_weights_file,
    randomise,
    zero_initialisers,
)
from vidclass.datasets.download import download
from vidclass.errors import ConfigError, DownloadError, WeightsError, require_choice

if TYPE_CHECKING:
    import keras

# Goes up when a network built here changes its numbers: cached IRs and features are then remade.
REVISION = 1
# Overrides the address of the authors' repository, for a mirror of the same files.
ADDRESS_VARIABLE = "VIDCLASS_I3D_ADDRESS"
_ADDRESS = "https://raw.githubusercontent.com/deepmind/kinetics-i3d/master/data/checkpoints"
WIDTH, WINDOW = 1024, 64
CLASSES = 400
_INDEX_SUFFIX = ".index"


@dataclass(frozen=True)
class _Stream:
    """Facts of one of the two networks.

    Attributes:
        scope: Prefix of its variables' names in the checkpoint.
        channels: Channels of its input.
        folder: Folder of its checkpoint in the authors' repository.
        index_sha256: Checksum of the checkpoint's index, which has that of every tensor.
        data_bytes: Size of the checkpoint's data file.
        parameters: Number of parameters without the classifier.
    """

    scope: str
    channels: int
    folder: str
    index_sha256: str
    data_bytes: int
    parameters: int


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


class I3D(BackboneFamily):
    """I3D on windows of RGB frames; its other stream takes optical flow."""

    names = ("i3d_rgb",)

    def describe(self, name: str) -> Backbone:
        """Return the facts of the RGB stream."""
        parameters = STREAMS[name].parameters
        return Backbone(name, self, 224, WIDTH, parameters, window=WINDOW, licence="Apache-2.0")

    def build(self, name: str, *, size: int, weights: str, window: int) -> keras.Model:
        """Build the network for windows of frames; see `load_i3d`."""
        return load_i3d(name, frames=window, size=size, weights=weights)

    def weights_id(self, name: str, weights: str) -> str:
        """Return the checksum of the checkpoint's index, which has that of every tensor."""
        if weights == "pretrained":
            return f"i3d-{REVISION}-{STREAMS[name].index_sha256}"
        index = _index(Path(weights))
        if weights != "random" and index.is_file():
            return f"i3d-{REVISION}-{sha256_of(index)}"
        return f"i3d-{REVISION}-{file_or_random_id(name, weights)}"

    def weights_state(self, name: str) -> WeightsState:
        """Return whether the checkpoint has been fetched."""
        prefix = checkpoint_prefix(name)
        here = _index(prefix).is_file() and _data(prefix).is_file()
        return "at hand" if here else "to be fetched"

    def weights_source(self, name: str) -> str:
        """Return that vidclass fetches them, with the extra that reads them."""
        return "by vidclass (pip install 'vidclass[i3d]'), when it is first used"


def load_i3d(
    name: str,
    *,
    frames: int,
    size: int = 224,
    classes: bool = False,
    weights: str = "pretrained",
) -> keras.Model:
    """Build one of the two networks for clips of a fixed length.

    Args:
        name: `i3d_rgb`, for RGB frames in [0, 255], or `i3d_flow`, for optical flow in [-1, 1].
        frames: T, the number of frames.
        size: Side of the frames, in pixels.
        classes: Return logits (B,400) of the Kinetics classes instead of features (B,1024).
        weights: `pretrained` for the authors' (trained on ImageNet, then on Kinetics-400), which
            are fetched when they are first used; `random`; the common name of a checkpoint's two
            files, without `.index`; or a Keras weights file.

    Raises:
        ConfigError: there is no such network, or the extra `i3d` is not installed.
        WeightsError: the weights cannot be fetched, or are not this network's.
    """
    from vidclass.backbones.i3d.network import assign_checkpoint, build_i3d

    stream = STREAMS[require_choice("network", name, STREAMS)]
    tensors = None if weights == "random" else _tensors(name, weights)
    with zero_initialisers():
        model = build_i3d(
            frames=frames,
            size=size,
            channels=stream.channels,
            classes=CLASSES if classes else None,
        )
    if tensors is not None:
        assign_checkpoint(model, tensors, stream.scope)
    elif weights == "random":
        randomise(model)
    else:
        load_weights_file(model, name, weights)
    return model


def kinetics_labels() -> list[str]:
    """Return the 400 classes of Kinetics, in the order of the network's logits."""
    text = files("vidclass.backbones.i3d").joinpath("kinetics_400.txt").read_text(encoding="utf-8")
    return text.split("\n")[:CLASSES]


def classifier_weights(
    name: str, weights: str = "pretrained"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return kernel (1024,400) and bias (400,) of the linear classifier on the features.

    Raises:
        ConfigError: the extra `i3d` is not installed.
        WeightsError: the weights cannot be fetched; a Keras file of the network alone has none.
    """
    if weights == "random":
        kernel = np.random.default_rng(0).normal(0, 0.05, (WIDTH, CLASSES))
        return kernel.astype(np.float32), np.zeros(CLASSES, np.float32)
    tensors = _tensors(name, weights)
    if tensors is None:
        raise WeightsError(f"weights={weights!r} of {name} have no classes: give a checkpoint")
    layer = f"{STREAMS[name].scope}/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d"
    try:
        return (
            tensors[f"{layer}/w"].reshape(WIDTH, CLASSES),
            tensors[f"{layer}/b"].reshape(CLASSES),
        )
    except (KeyError, ValueError) as error:
        raise WeightsError(f"weights={weights!r} of {name} have no 400 classes: {error}") from error


def checkpoint_prefix(name: str) -> Path:
    """Return the common path, without suffixes, of the two files of the authors' checkpoint."""
    return cache_folder() / "weights" / "i3d" / STREAMS[name].folder / "model.ckpt"


def fetch(name: str) -> Path:
    """Fetch the authors' checkpoint if it is not there, and return the common path of its files.

    The index is compared with its known checksum; the data with the checksums in the index, when
    they are read.

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
    """Return the tensors of a checkpoint; None for weights of another kind."""
    if weights != "pretrained" and not _index(Path(weights)).is_file():
        return None
    require_crc32c()  # before anything is fetched
    if weights == "pretrained":
        return read_tensors(fetch(name))
    return read_tensors(Path(weights))


def _index(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + _INDEX_SUFFIX)


def _data(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + DATA_SUFFIX)
