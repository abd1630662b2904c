"""Pack a trained head and its backbone into one file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from vidclass.bundle import format as names
from vidclass.bundle.answers import AnswerRule
from vidclass.bundle.format import BundleInfo, answer_fields
from vidclass.features.networks import FeatureMaker
from vidclass.files import replacing, sha256_of
from vidclass.heads.registry import REVISION
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.recipe import NetworkRecipe
from vidclass.version import __version__


def head_recipe(
    head: str, *, frames: int, width: int, classes: int, weights: Path
) -> NetworkRecipe:
    """How a child process builds a trained head."""
    arguments = {
        "name": head,
        "frames": frames,
        "width": width,
        "classes": classes,
    }
    return NetworkRecipe(
        "vidclass.heads.registry:load_head",
        arguments,
        identity=f"heads-{REVISION}-{sha256_of(weights)}",
        frames=False,
        files={"weights": str(weights.resolve())},
    )


def write_bundle(
    path: Path,
    *,
    head: str,
    head_weights: Path,
    labels: Sequence[str],
    maker: FeatureMaker,
    data_fingerprint: str,
    trained_on: int,
    rule: AnswerRule | None = None,
) -> BundleInfo:
    """Write a bundle in one step: until it is whole, an old file of that name stays.

    The head's OpenVINO form is made here, with the number of steps fixed, and must agree with
    Keras on clips of every length.  The backbone goes in as it made the features, in the same
    precision.  It answers by `rule`; without one, with the most probable of the labels.

    Raises:
        RuntimeRouteError: it does not.
    """
    features = maker.config
    recipe = head_recipe(
        head,
        frames=features.sampling.total_frames,
        width=maker.width,
        classes=len(labels),
        weights=head_weights,
    )
    head_ir = ensure_ir(recipe)
    parts = {
        names.HEAD_XML: head_ir.xml.read_bytes(),
        names.HEAD_BIN: head_ir.bin.read_bytes(),
        names.HEAD_WEIGHTS: head_weights.read_bytes(),
    }
    backbone = maker.ir()
    if backbone is not None:
        parts[names.BACKBONE_XML] = backbone.xml.read_bytes()
        parts[names.BACKBONE_BIN] = backbone.bin.read_bytes()
    info = BundleInfo(
        labels=list(labels),
        features=features,
        feature_fingerprint=maker.fingerprint,
        head=head,
        width=maker.width,
        route="keras" if backbone is None else "openvino",
        versions={"vidclass": __version__}
        | {name: version(name) for name in ("keras", "openvino", "av")},
        data_fingerprint=data_fingerprint,
        trained_on=trained_on,
        sha256={name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
        **({} if rule is None else answer_fields(rule)),
    )
    with replacing(path) as temp, zipfile.ZipFile(temp, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(names.INFO, info.model_dump_json(indent=1))
        for name, data in parts.items():
            archive.writestr(name, data)
    return info
