"""Read a bundle: check every file, then compile its networks.  Loads neither Keras nor JAX."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.bundle import format as names
from vidclass.bundle.format import BundleInfo, HeadInfo, parse_info
from vidclass.errors import BundleError, ShapeError
from vidclass.features.decoding import pad_clips
from vidclass.features.extractor import FeatureExtractor, OpenedNetwork, open_backbone
from vidclass.runtime.hardware import resolve_precision
from vidclass.runtime.openvino_network import OpenVinoNetwork
from vidclass.tasks.base import LabelTask
from vidclass.types import ClipFeatures

# Number of clips that go through the head at a time.
BATCH_CLIPS = 256


class Bundle:
    """A trained classifier: task, preprocessing, backbones and heads."""

    def __init__(self, path: Path, info: BundleInfo, files: dict[str, bytes]) -> None:
        self.path = path
        self.info = info
        self._files = files

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read and check a bundle.

        Raises:
            BundleError: there is no such file, it is not a bundle, or a file of it is damaged.
        """
        path = Path(path)
        if path.is_dir():
            raise BundleError(
                f"{path} is a folder: a bundle is one file; the bundle of a run folder is "
                f"{path / ('model' + names.SUFFIX)}"
            )
        try:
            with zipfile.ZipFile(path) as archive:
                info = parse_info(archive.read(names.INFO), path)
                files = {name: archive.read(name) for name in info.sha256}
        except FileNotFoundError as error:
            raise BundleError(f"{path}: there is no such bundle") from error
        except BundleError:
            raise
        except Exception as error:  # zipfile and its decompressors raise many kinds for damage
            raise BundleError(f"{path} is not a whole bundle: {error}") from error
        for name, expected in info.sha256.items():
            if hashlib.sha256(files[name]).hexdigest() != expected:
                raise BundleError(f"{path}: its file {name!r} is damaged: copy the bundle again")
        return cls(path, info, files)

    @property
    def task(self) -> LabelTask:
        """Classes, meaning of labels, and decision thresholds."""
        return self.info.task

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of every score vector."""
        return self.info.labels

    @cached_property
    def ensemble(self) -> list[BundleHead]:
        """The heads; those that share a backbone share the opened network."""
        backbones: dict[str, BackboneOpener] = {}
        heads = []
        for info in self.info.ensemble:
            opener = backbones.setdefault(info.backbone_at, BackboneOpener(info, self._files))
            heads.append(BundleHead(info, self._files, opener, self.task))
        return heads

    def extractor(self) -> FeatureExtractor:
        """Return the feature extractor of the first head, backbone included."""
        return self.ensemble[0].extractor()

    def probabilities(self, *clips: Sequence[ClipFeatures]) -> NDArray[np.float64]:
        """Return class probabilities (N,K) of N >= 1 clips: the mean over the ensemble.

        Args:
            clips: Features of the N clips, once for each head.

        Raises:
            ShapeError: there are features for more or fewer heads than there are.
        """
        if len(clips) != len(self.ensemble):
            raise ShapeError(
                f"features for {len(clips)} heads, but {self.path} has {len(self.ensemble)}"
            )
        by_head = [
            head.probabilities(features)
            for head, features in zip(self.ensemble, clips, strict=True)
        ]
        return np.asarray(np.mean(by_head, axis=0))


class BackboneOpener:
    """Open the backbone of a head when it is first needed, once."""

    def __init__(self, info: HeadInfo, files: dict[str, bytes]) -> None:
        self._info, self._files = info, files

    @cached_property
    def opened(self) -> OpenedNetwork:
        """The network inside the bundle, or else Keras's."""
        if self._info.route == "keras":
            return open_backbone(self._info.features)
        network = OpenVinoNetwork.from_bytes(
            self._files[self._info.backbone_at + names.BACKBONE_XML],
            self._files[self._info.backbone_at + names.BACKBONE_BIN],
            resolve_precision(self._info.features.precision),
            cached=True,
        )
        return OpenedNetwork(network, "openvino")


class BundleHead:
    """One head of a bundle, and the extractor of its features."""

    def __init__(
        self, info: HeadInfo, files: dict[str, bytes], backbone: BackboneOpener, task: LabelTask
    ) -> None:
        self.info = info
        self._task = task
        self._files, self._backbone = files, backbone

    def extractor(self) -> FeatureExtractor:
        """Return the extractor of the features it was trained on, backbone included."""
        info = self.info
        return FeatureExtractor(
            info.features,
            info.feature_fingerprint,
            info.width,
            lambda: self._backbone.opened,
            window=info.window,
        )

    @cached_property
    def _head(self) -> OpenVinoNetwork:
        at = self.info.head_at
        return OpenVinoNetwork.from_bytes(
            self._files[at + names.HEAD_XML], self._files[at + names.HEAD_BIN]
        )

    def probabilities(self, clips: Sequence[ClipFeatures]) -> NDArray[np.float64]:
        """Return class probabilities (N,K), in the order of the bundle's labels."""
        batches = []
        for start in range(0, len(clips), BATCH_CLIPS):
            features, mask = pad_clips(list(clips[start : start + BATCH_CLIPS]), self.info.frames)
            batches.append(self._head.run(features=features, mask=mask))
        probabilities = self._task.probabilities(np.concatenate(batches))
        return probabilities[:, list(self.info.swap)] if self.info.swap else probabilities
