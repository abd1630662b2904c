"""What a bundle holds: one zip file of fixed names, with a checksum for each part."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError

from vidclass.bundle.answers import AnswerRule
from vidclass.config import FeatureConfig, FrozenConfig, one_line
from vidclass.data.label_scheme import Kind, LabelScheme
from vidclass.errors import BundleError

SUFFIX = ".vidclass"

INFO = "bundle.json"
BACKBONE_XML = "backbone.xml"
BACKBONE_BIN = "backbone.bin"
HEAD_XML = "head.xml"
HEAD_BIN = "head.bin"
HEAD_WEIGHTS = "head.weights.h5"


class BundleInfo(FrozenConfig):
    """Everything about a bundle but its networks.

    Attributes:
        schema_version: Of this very description.
        labels: The classes, in the order of every score vector.
        task: What a clip's labels mean: one class, any number, or a leaf of a hierarchy.
        none_label, thresholds, unknown_below: See `LabelScheme` and `AnswerRule`.
        features: Sampling, geometry, backbone: what turns a video into features.  Its precision is
            the one that was used, never `auto`: a bundle gives the same numbers everywhere.
        feature_fingerprint: The key under which the store keeps such features.
        head: The head's name.
        width: D.
        route: `openvino` when the backbone is inside; `keras` when it has no such form.
        versions: Of vidclass and of the libraries that made the bundle.
        data_fingerprint: Of the clips it was trained on.
        trained_on: How many clips that were.
        sha256: Checksum of every other part, by name.
    """

    schema_version: Literal[1] = 1
    labels: list[str]
    features: FeatureConfig
    feature_fingerprint: str
    head: str
    width: int
    route: Literal["openvino", "keras"]
    versions: dict[str, str]
    data_fingerprint: str
    trained_on: int
    sha256: dict[str, str]
    task: Kind = "single-label"
    none_label: str | None = None
    thresholds: tuple[float, ...] = ()
    unknown_below: float | None = None

    @property
    def rule(self) -> AnswerRule:
        """How it answers."""
        scheme = LabelScheme(tuple(self.labels), self.task, self.none_label)
        return AnswerRule(scheme, self.thresholds, self.unknown_below)

    @property
    def frames(self) -> int:
        """T, the number of steps the head takes."""
        return self.features.sampling.total_frames


def answer_fields(rule: AnswerRule) -> dict[str, Any]:
    """What a bundle keeps of how it answers, besides its labels."""
    return {
        "task": rule.scheme.kind,
        "none_label": rule.scheme.none_label,
        "thresholds": rule.thresholds,
        "unknown_below": rule.unknown_below,
    }


def parse_info(text: bytes, path: object) -> BundleInfo:
    """The description in a bundle.

    Raises:
        BundleError: it is of another version, or damaged, or lacks a part.
    """
    try:
        info = BundleInfo.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(
            f"{path}: the description inside is damaged, or of another version of vidclass: "
            f"{one_line(error)}"
        ) from error
    backbone = (BACKBONE_XML, BACKBONE_BIN) if info.route == "openvino" else ()
    for name in (HEAD_XML, HEAD_BIN, *backbone):
        if name not in info.sha256:
            raise BundleError(f"{path}: the description inside lists no part {name!r}")
    if len(info.thresholds) not in (0, len(info.labels)):
        raise BundleError(
            f"{path}: the description inside has {len(info.thresholds)} thresholds for "
            f"{len(info.labels)} labels"
        )
    return info
