"""Write a bundle: trained heads and their backbones in one file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from vidclass._core.files import replacing, sha256_of
from vidclass.bundle import format as names
from vidclass.bundle.format import BundleInfo, HeadInfo
from vidclass.features.extractor import FeatureExtractor
from vidclass.heads.registry import REVISION, defining_module
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.tasks.base import LabelTask
from vidclass.version import __version__


def head_spec(head: str, *, frames: int, width: int, classes: int, weights: Path) -> NetworkSpec:
    """Return the spec by which a child process builds a trained head."""
    arguments = {"name": head, "frames": frames, "width": width, "classes": classes}
    module = defining_module(head)
    if not module.startswith("vidclass."):
        arguments["module"] = module
    return NetworkSpec(
        "vidclass.heads.registry:load_head",
        arguments,
        identity=f"heads-{REVISION}-{sha256_of(weights)}",
        frames=False,
        files={"weights": str(weights.resolve())},
    )


@dataclass(frozen=True)
class TrainedHead:
    """A trained head, and the features it takes.

    Attributes:
        head: Name of the head.
        weights: File of its weights.
        extractor: Extractor of its features.
        mirror: Extractor of the features of mirror images, if it predicts on these too.
    """

    head: str
    weights: Path
    extractor: FeatureExtractor
    mirror: FeatureExtractor | None = None


def write_bundle(
    path: Path,
    ensemble: Sequence[TrainedHead],
    *,
    task: LabelTask,
    swap: Sequence[int] = (),
    data_fingerprint: str,
    trained_on: int,
) -> BundleInfo:
    """Write a bundle in one step: until it is whole, an old file of that name stays.

    Heads are converted to OpenVINO here, with the number of steps fixed, and must agree with Keras
    on clips of every length.  Backbones go in as they were used for the features, in the same
    precision, each one once.

    Args:
        path: Target file.
        ensemble: Heads, at least one.
        task: Classes and decision thresholds.
        swap: Index of the class of each class's mirror image; empty if that is its own.
        data_fingerprint: Fingerprint of the training clips.
        trained_on: Number of training clips.

    Raises:
        RuntimeRouteError: OpenVINO and Keras do not agree on a head.
    """
    infos: list[HeadInfo] = []
    files: dict[str, bytes] = {}
    prefix_of_backbone: dict[str, str] = {}
    for number, trained in enumerate(ensemble, 1):
        prefix = f"head{number}/" if number > 1 else ""
        head_files = _head_files(trained, len(task.labels))
        files |= {prefix + name: data for name, data in head_files.items()}
        backbone = _backbone_files(trained.extractor)
        # A backbone that is not inside is told apart by its position alone.
        key = hashlib.sha256(b"".join(backbone.values())).hexdigest() if backbone else prefix
        shared = prefix_of_backbone.setdefault(key, prefix)
        if shared == prefix:
            files |= {prefix + name: data for name, data in backbone.items()}
        head_info = _head_info(trained, prefix, shared, inside=bool(backbone))
        infos.append(head_info)
        if trained.mirror is not None:
            fingerprint = trained.mirror.fingerprint
            mirror = {"features": trained.mirror.config, "feature_fingerprint": fingerprint}
            infos.append(head_info.model_copy(update=mirror | {"swap": tuple(swap)}))
    info = BundleInfo(
        task=task,
        ensemble=tuple(infos),
        versions={"vidclass": __version__}
        | {name: version(name) for name in ("keras", "openvino", "av")},
        data_fingerprint=data_fingerprint,
        trained_on=trained_on,
        sha256={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    with replacing(path) as temp, zipfile.ZipFile(temp, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(names.INFO, info.model_dump_json(indent=1))
        for name, data in files.items():
            archive.writestr(name, data)
    return info


def _head_info(trained: TrainedHead, head_at: str, backbone_at: str, *, inside: bool) -> HeadInfo:
    extractor = trained.extractor
    return HeadInfo(
        features=extractor.config,
        feature_fingerprint=extractor.fingerprint,
        head=trained.head,
        width=extractor.width,
        route="openvino" if inside else "keras",
        backbone_at=backbone_at,
        head_at=head_at,
        window=extractor.window,
    )


def _head_files(trained: TrainedHead, classes: int) -> dict[str, bytes]:
    spec = head_spec(
        trained.head,
        frames=trained.extractor.steps,
        width=trained.extractor.width,
        classes=classes,
        weights=trained.weights,
    )
    head_ir = ensure_ir(spec)
    return {
        names.HEAD_XML: head_ir.xml.read_bytes(),
        names.HEAD_BIN: head_ir.bin.read_bytes(),
        names.HEAD_WEIGHTS: trained.weights.read_bytes(),
    }


def _backbone_files(extractor: FeatureExtractor) -> dict[str, bytes]:
    """Return the two files of a backbone's OpenVINO form; none if it has no such form."""
    backbone = extractor.ir()
    if backbone is None:
        return {}
    return {
        names.BACKBONE_XML: backbone.xml.read_bytes(),
        names.BACKBONE_BIN: backbone.bin.read_bytes(),
    }
