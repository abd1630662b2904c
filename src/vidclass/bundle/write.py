"""Pack a trained head and its backbone into one file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from vidclass._core.files import replacing, sha256_of
from vidclass.bundle import format as names
from vidclass.bundle.format import BundleInfo, MemberInfo, answer_fields
from vidclass.features.extractor import FeatureExtractor
from vidclass.heads.registry import REVISION, defining_module
from vidclass.runtime.ir import ensure_ir
from vidclass.runtime.network_spec import NetworkSpec
from vidclass.tasks.answers import AnswerRule
from vidclass.version import __version__


def head_spec(head: str, *, frames: int, width: int, classes: int, weights: Path) -> NetworkSpec:
    """How a child process builds a trained head."""
    arguments = {
        "name": head,
        "frames": frames,
        "width": width,
        "classes": classes,
    }
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
class TrainedMember:
    """A trained head, and what it is given.

    Attributes:
        head: Its name.
        weights: The file of its weights.
        extractor: What made its features.
        mirror: What made those of mirror images, where it answers for these too.
    """

    head: str
    weights: Path
    extractor: FeatureExtractor
    mirror: FeatureExtractor | None = None


def write_bundle(
    path: Path,
    members: Sequence[TrainedMember],
    *,
    labels: Sequence[str],
    swap: Sequence[int] = (),
    data_fingerprint: str,
    trained_on: int,
    rule: AnswerRule | None = None,
) -> BundleInfo:
    """Write a bundle in one step: until it is whole, an old file of that name stays.

    The OpenVINO forms of heads are made here, with the number of steps fixed, and must agree with
    Keras on clips of every length.  Backbones go in as they made the features, in the same
    precision, each one once.

    Args:
        path: The file.
        members: The heads, at least one.
        labels: The classes.
        swap: The class that the mirror image of each class has; empty where that is its own.
        data_fingerprint: Of the clips they were trained on.
        trained_on: How many clips that were.
        rule: How it answers; without one, with the most probable of the labels.

    Raises:
        RuntimeRouteError: the two forms of a head do not agree.
    """
    infos: list[MemberInfo] = []
    parts: dict[str, bytes] = {}
    homes: dict[str, str] = {}
    for place, member in enumerate(members):
        at = f"member{place + 1}/" if place else ""
        parts |= {at + name: data for name, data in _head_parts(member, len(labels)).items()}
        backbone = _backbone_parts(member.extractor)
        # A network that is not inside is known by its place alone.
        key = hashlib.sha256(b"".join(backbone.values())).hexdigest() if backbone else at
        home = homes.setdefault(key, at)
        if home == at:
            parts |= {at + name: data for name, data in backbone.items()}
        plain = _member(member.head, member.extractor, at, home, bool(backbone), ())
        infos.append(plain)
        if member.mirror is not None:
            infos.append(_member(member.head, member.mirror, at, home, bool(backbone), tuple(swap)))
    info = BundleInfo(
        labels=list(labels),
        **infos[0].model_dump(include={"feature_fingerprint", "head", "width", "route", "window"}),
        features=infos[0].features,
        versions={"vidclass": __version__}
        | {name: version(name) for name in ("keras", "openvino", "av")},
        data_fingerprint=data_fingerprint,
        trained_on=trained_on,
        sha256={name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
        further=tuple(infos[1:]),
        **({} if rule is None else answer_fields(rule)),
    )
    with replacing(path) as temp, zipfile.ZipFile(temp, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(names.INFO, info.model_dump_json(indent=1))
        for name, data in parts.items():
            archive.writestr(name, data)
    return info


def _member(
    head: str, extractor: FeatureExtractor, at: str, home: str, inside: bool, swap: tuple[int, ...]
) -> MemberInfo:
    return MemberInfo(
        features=extractor.config,
        feature_fingerprint=extractor.fingerprint,
        head=head,
        width=extractor.width,
        route="openvino" if inside else "keras",
        backbone_at=home,
        head_at=at,
        swap=swap,
        window=extractor.window,
    )


def _head_parts(member: TrainedMember, classes: int) -> dict[str, bytes]:
    spec = head_spec(
        member.head,
        frames=member.extractor.steps,
        width=member.extractor.width,
        classes=classes,
        weights=member.weights,
    )
    head_ir = ensure_ir(spec)
    return {
        names.HEAD_XML: head_ir.xml.read_bytes(),
        names.HEAD_BIN: head_ir.bin.read_bytes(),
        names.HEAD_WEIGHTS: member.weights.read_bytes(),
    }


def _backbone_parts(extractor: FeatureExtractor) -> dict[str, bytes]:
    """The two files of a backbone's OpenVINO form; none where it has no such form."""
    backbone = extractor.ir()
    if backbone is None:
        return {}
    return {
        names.BACKBONE_XML: backbone.xml.read_bytes(),
        names.BACKBONE_BIN: backbone.bin.read_bytes(),
    }
