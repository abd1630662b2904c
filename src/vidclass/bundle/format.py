"""Format of a bundle: one zip file of fixed names, with a checksum for each file."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError

from vidclass.config import FeatureConfig, FrozenConfig
from vidclass.config.base import one_line
from vidclass.errors import BundleError, ShapeError
from vidclass.features.windows import window_count
from vidclass.tasks.base import LabelTask
from vidclass.tasks.resolve import task_from_json

SUFFIX = ".vidclass"
# Goes up when the description changes in a way that older code cannot read.
SCHEMA_VERSION: Literal[2] = 2

INFO = "bundle.json"
BACKBONE_XML = "backbone.xml"
BACKBONE_BIN = "backbone.bin"
HEAD_XML = "head.xml"
HEAD_BIN = "head.bin"
HEAD_WEIGHTS = "head.weights.h5"


def _task(value: Any) -> LabelTask:
    return value if isinstance(value, LabelTask) else task_from_json(value)


TaskField = Annotated[LabelTask, PlainValidator(_task), PlainSerializer(LabelTask.to_json)]


class HeadInfo(FrozenConfig):
    """One head of a bundle's ensemble, and the features it takes.

    Attributes:
        features: Sampling, geometry and backbone that turn a video into features.  The precision
            is the one that was used, never `auto`: a bundle gives the same numbers everywhere.
        feature_fingerprint: Key of such features in the store.
        head: Name of the head.
        width: D, the size of a feature vector.
        route: `openvino` if the backbone is inside; `keras` if it has no OpenVINO form.
        backbone_at: Prefix of the names of the backbone's files.
        head_at: Prefix of the names of the head's files.
        swap: For mirror images, the index of each score among the labels; empty for the clips
            themselves.
        window: Number of successive frames that make one feature vector.
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

    def file_names(self) -> list[str]:
        """Return the names of the files that it needs."""
        backbone = (BACKBONE_XML, BACKBONE_BIN) if self.route == "openvino" else ()
        return [self.head_at + HEAD_XML, self.head_at + HEAD_BIN] + [
            self.backbone_at + name for name in backbone
        ]


class BundleInfo(FrozenConfig):
    """Everything about a bundle but its networks.

    Attributes:
        schema_version: Version of this description.
        task: Classes, meaning of labels, and decision thresholds.
        ensemble: Heads, at least one; the bundle's probabilities are their mean.
        versions: Versions of vidclass and of the libraries that wrote the bundle.
        data_fingerprint: Fingerprint of the clips it was trained on.
        trained_on: Number of these clips.
        sha256: Checksum of every other file, by name.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    task: TaskField
    ensemble: Annotated[tuple[HeadInfo, ...], Field(min_length=1)]
    versions: dict[str, str]
    data_fingerprint: str
    trained_on: int
    sha256: dict[str, str]

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of every score vector."""
        return list(self.task.labels)

    @property
    def first(self) -> HeadInfo:
        """The first head of the ensemble."""
        return self.ensemble[0]


def parse_info(text: bytes, path: object) -> BundleInfo:
    """Return the description in a bundle.

    Raises:
        BundleError: it is of another version, or damaged, or lacks a file.
    """
    try:
        _require_version(text, path)
        info = BundleInfo.model_validate_json(text)
    except (ValidationError, ShapeError) as error:
        reason = one_line(error) if isinstance(error, ValidationError) else str(error)
        raise BundleError(f"{path}: the description inside is damaged: {reason}") from error
    for head in info.ensemble:
        for name in head.file_names():
            if name not in info.sha256:
                raise BundleError(f"{path}: the description inside lists no file {name!r}")
        if head.swap and sorted(head.swap) != list(range(len(info.labels))):
            raise BundleError(f"{path}: swap={head.swap} is no permutation of its labels")
    return info


def _require_version(text: bytes, path: object) -> None:
    try:
        version = json.loads(text).get("schema_version")
    except (ValueError, AttributeError):
        return  # damaged: validation says how
    if isinstance(version, int) and version != SCHEMA_VERSION:
        raise BundleError(
            f"{path} is a bundle of another version of vidclass: schema_version={version}, this "
            f"one reads {SCHEMA_VERSION}. Train the classifier again: vidclass train."
        )
