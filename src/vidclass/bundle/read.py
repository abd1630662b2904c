"""Open a bundle: check every part, then compile its networks.  Loads neither Keras nor JAX."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidclass.bundle import format as names
from vidclass.bundle.format import BundleInfo, MemberInfo, parse_info
from vidclass.errors import BundleError, ConfigError, ShapeError
from vidclass.features.decoding import pad_clips
from vidclass.features.extractor import FeatureExtractor, OpenedNetwork, open_backbone
from vidclass.runtime.hardware import resolve_precision
from vidclass.runtime.openvino_network import OpenVinoNetwork
from vidclass.tasks.answers import AnswerRule, probabilities_of
from vidclass.tasks.answers import softmax as softmax
from vidclass.tasks.label_scheme import Kind
from vidclass.types import ClipFeatures

# Clips that go through the head at a time.
BATCH_CLIPS = 256


class Bundle:
    """A trained classifier: labels, preprocessing, backbone and head."""

    def __init__(self, path: Path, info: BundleInfo, parts: dict[str, bytes]) -> None:
        self.path = path
        self.info = info
        self._parts = parts

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read and check a bundle.

        Raises:
            BundleError: there is no such file, it is not a bundle, or a part of it is damaged.
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
                parts = {name: archive.read(name) for name in info.sha256}
        except FileNotFoundError as error:
            raise BundleError(f"{path}: there is no such bundle") from error
        except BundleError:
            raise
        except Exception as error:  # zipfile and its decompressors raise many kinds for damage
            raise BundleError(f"{path} is not a whole bundle: {error}") from error
        for name, expected in info.sha256.items():
            if hashlib.sha256(parts[name]).hexdigest() != expected:
                raise BundleError(f"{path}: its part {name!r} is damaged: copy the bundle again")
        return cls(path, info, parts)

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of every score vector."""
        return self.info.labels

    @cached_property
    def members(self) -> list[BundleMember]:
        """The heads; members that share a backbone share the opened network."""
        opened: dict[str, BackboneOpener] = {}
        found = []
        for info in self.info.members:
            opener = opened.setdefault(info.backbone_at, BackboneOpener(info, self._parts))
            found.append(BundleMember(info, self._parts, opener, self.info.task))
        return found

    @property
    def rule(self) -> AnswerRule:
        """How it answers: which kind of labels, and its thresholds."""
        return self.info.rule

    def extractor(self) -> FeatureExtractor:
        """What makes the features of the first member, backbone included."""
        return self.members[0].extractor()

    def probabilities(self, *clips: Sequence[ClipFeatures]) -> NDArray[np.float64]:
        """Class probabilities (N,K) of N clips, N being at least 1: the mean over members.

        Args:
            clips: The features of the clips, once for each member.

        Raises:
            ShapeError: there are features for more or fewer members than there are.
        """
        if len(clips) != len(self.members):
            raise ShapeError(
                f"features for {len(clips)} members, but {self.path} has {len(self.members)}"
            )
        found = [
            member.probabilities(given) for member, given in zip(self.members, clips, strict=True)
        ]
        return np.asarray(np.mean(found, axis=0))


class BackboneOpener:
    """Opens the backbone of a member when it is first needed, once."""

    def __init__(self, info: MemberInfo, parts: dict[str, bytes]) -> None:
        self._info, self._parts = info, parts

    @cached_property
    def opened(self) -> OpenedNetwork:
        """The network: the one inside the bundle, or else Keras's."""
        if self._info.route == "keras":
            return open_backbone(self._info.features)
        network = OpenVinoNetwork.from_bytes(
            self._parts[self._info.backbone_at + names.BACKBONE_XML],
            self._parts[self._info.backbone_at + names.BACKBONE_BIN],
            resolve_precision(self._info.features.precision),
            cached=True,
        )
        return OpenedNetwork(network, "openvino")


class BundleMember:
    """One head of a bundle and what makes its features."""

    def __init__(
        self, info: MemberInfo, parts: dict[str, bytes], backbone: BackboneOpener, task: Kind
    ) -> None:
        self.info = info
        self._task: Kind = task
        self._parts, self._backbone = parts, backbone

    def extractor(self) -> FeatureExtractor:
        """What makes the features its head was trained on, backbone included."""
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
            self._parts[at + names.HEAD_XML], self._parts[at + names.HEAD_BIN]
        )

    def probabilities(self, clips: Sequence[ClipFeatures]) -> NDArray[np.float64]:
        """Class probabilities (N,K), in the order of the bundle's labels."""
        rows = []
        for start in range(0, len(clips), BATCH_CLIPS):
            features, mask = pad_clips(list(clips[start : start + BATCH_CLIPS]), self.info.frames)
            rows.append(self._head.run(features=features, mask=mask))
        found = probabilities_of(np.concatenate(rows), self._task)
        return found[:, list(self.info.swap)] if self.info.swap else found


def require_unknown(bundle: Bundle) -> None:
    """Refuse to answer `unknown` with a bundle that has no threshold for it.

    Raises:
        ConfigError: it has none.
    """
    if bundle.rule.unknown_below is None:
        kind = bundle.info.task
        remedy = (
            "train it with --unknown"
            if kind == "single-label"
            else f"only single-label ones can have it, and this is of the kind {kind!r}"
        )
        raise ConfigError(
            f"{bundle.path} has no probability below which a clip is unknown: {remedy}"
        )
