"""What a bundle holds: one zip file of fixed names, with a checksum for each part."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from vidclass.config import FeatureConfig, FrozenConfig
from vidclass.config.base import one_line
from vidclass.errors import BundleError
from vidclass.features.windows import window_count
from vidclass.tasks.answers import AnswerRule
from vidclass.tasks.label_scheme import Kind, LabelScheme

SUFFIX = ".vidclass"

INFO = "bundle.json"
BACKBONE_XML = "backbone.xml"
BACKBONE_BIN = "backbone.bin"
HEAD_XML = "head.xml"
HEAD_BIN = "head.bin"
HEAD_WEIGHTS = "head.weights.h5"


class MemberInfo(FrozenConfig):
    """One head of a bundle, with the features it is given.

    Attributes:
        features, feature_fingerprint, head, width, route, window: As in `BundleInfo`.
        backbone_at: What stands before the names of its backbone's parts.
        head_at: What stands before the names of its head's parts.
        swap: For a view of mirror images, the place of each of its scores among the labels; empty
            where that is their own.
    """

    features: FeatureConfig
    feature_fingerprint: str
    head: str
    width: int
    route: Literal["openvino", "keras"]
    backbone_at: str = ""
    head_at: str = ""
    swap: tuple[int, ...] = ()
    window: Annotated[int, Field(ge=1)] = 1

    @property
    def frames(self) -> int:
        """T, the number of steps the head takes."""
        return window_count(self.features.sampling.total_frames, self.window)

    def parts(self) -> list[str]:
        """The names of the parts that it needs."""
        backbone = (BACKBONE_XML, BACKBONE_BIN) if self.route == "openvino" else ()
        return [self.head_at + HEAD_XML, self.head_at + HEAD_BIN] + [
            self.backbone_at + name for name in backbone
        ]


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
        window: How many successive frames make one feature vector.
        further: Heads beyond the one described here; the bundle's probabilities are the mean.
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
    window: Annotated[int, Field(ge=1)] = 1
    further: tuple[MemberInfo, ...] = ()

    @property
    def rule(self) -> AnswerRule:
        """How it answers."""
        scheme = LabelScheme(tuple(self.labels), self.task, self.none_label)
        return AnswerRule(scheme, self.thresholds, self.unknown_below)

    @property
    def members(self) -> tuple[MemberInfo, ...]:
        """All heads, the one described here first."""
        first = MemberInfo(
            features=self.features,
            feature_fingerprint=self.feature_fingerprint,
            head=self.head,
            width=self.width,
            route=self.route,
            window=self.window,
        )
        return (first, *self.further)

    @property
    def frames(self) -> int:
        """T, the number of steps the head takes."""
        return self.members[0].frames


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
    for member in info.members:
        for name in member.parts():
            if name not in info.sha256:
                raise BundleError(f"{path}: the description inside lists no part {name!r}")
        if member.swap and sorted(member.swap) != list(range(len(info.labels))):
            raise BundleError(f"{path}: swap={member.swap} is no order of its labels")
    if len(info.thresholds) not in (0, len(info.labels)):
        raise BundleError(
            f"{path}: the description inside has {len(info.thresholds)} thresholds for "
            f"{len(info.labels)} labels"
        )
    return info
