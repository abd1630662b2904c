"""The table of backbone families, and backbones by name."""

from __future__ import annotations

from typing import Any

from vidclass.backbones.family import Backbone, BackboneFamily, load_family
from vidclass.backbones.hugging_face.family import HuggingFace
from vidclass.backbones.i3d.family import I3D
from vidclass.backbones.keras_applications import KerasApplications
from vidclass.backbones.keras_hub.family import KerasHub
from vidclass.backbones.lite.family import EfficientNetLite
from vidclass.backbones.timm import Timm
from vidclass.errors import ConfigError, require_choice

# In the order in which backbones are listed.
_families: list[BackboneFamily] = [
    EfficientNetLite(),
    KerasApplications(),
    I3D(),
    HuggingFace(),
    Timm(),
    KerasHub(),
]


def register_backbone_family(family: type[BackboneFamily]) -> type[BackboneFamily]:
    """Make the backbones of a family available by name; usable as a class decorator.

    Networks are built in child processes, which import the class by module and name: it must stand
    at the top level of a module that is not the running script itself.

    Raises:
        ConfigError: the class cannot be imported by name, or one of its names is taken.
    """
    path = family.import_path()
    if path.startswith("__main__:") or "<locals>" in path:
        raise ConfigError(
            f"the backbone family {path!r} cannot be imported by child processes: define it at the "
            "top level of a module of its own."
        )
    others = [other for other in _families if other.import_path() != path]
    for other in others:
        taken = {*other.names, other.prefix} & {*family.names, family.prefix} - {""}
        if taken:
            raise ConfigError(
                f"the backbone family {path!r} cannot be registered: {min(taken)!r} is a name of "
                f"{other.import_path()!r}."
            )
    _families[:] = [*others, family()]
    return family


def unregister_backbone_family(family: type[BackboneFamily]) -> None:
    """Remove a family from the registry: in tests, or before registering another of that name."""
    _families[:] = [other for other in _families if type(other) is not family]


def backbone_names() -> list[str]:
    """Return the names of all listed backbones, of registered families too."""
    return [name for family in _families for name in family.names]


def get_backbone(name: str) -> Backbone:
    """Return the backbone of that name, listed or `PREFIX:...` as in `timm:resnet18.a1_in1k`.

    Raises:
        ConfigError: there is none, with the nearest name; or a library is missing.
        WeightsError: the settings of a network behind a prefix cannot be read or fetched.
    """
    prefix, colon, rest = name.partition(":")
    if colon and rest:
        by_prefix = {family.prefix: family for family in _families if family.prefix}
        return by_prefix[require_choice("family of backbones", prefix, by_prefix)].describe(name)
    by_name = {listed: family for family in _families for listed in family.names}
    return by_name[require_choice("backbone", name, by_name)].describe(name)


def build_backbone(name: str, size: int, weights: str, window: int = 1, family: str = "") -> Any:
    """Build a backbone from plain values, as a child process is told to.

    Args:
        name: Name of the backbone.
        size: Side of the input in pixels.
        weights: `pretrained`, `random` or a file.
        window: Number of frames per feature vector; must be the backbone's own.
        family: `module:Class` of a family that is not one of vidclass's.

    Raises:
        ConfigError: there is no such backbone, or it has another window.
        WeightsError: the weights are missing or not this network's.
    """
    backbone = load_family(family).describe(name) if family else get_backbone(name)
    if window != backbone.window:
        raise ConfigError(f"window={window}: {name} sees {backbone.window} frames at once")
    return backbone.build(size=size, weights=weights)
