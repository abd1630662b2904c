"""Pretrained networks from frames to features, and the contract for adding your own.

>>> from vidclass.backbones import get_backbone
>>> get_backbone("efficientnet_lite0").width
1280
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidclass.backbones.family import Backbone, BackboneFamily
    from vidclass.backbones.i3d.family import load_i3d
    from vidclass.backbones.keras_weights import zero_initialisers
    from vidclass.backbones.registry import (
        backbone_names,
        get_backbone,
        register_backbone_family,
    )

__all__ = [
    "Backbone",
    "BackboneFamily",
    "backbone_names",
    "get_backbone",
    "load_i3d",
    "register_backbone_family",
    "zero_initialisers",
]

_MODULES = {
    "Backbone": "family",
    "BackboneFamily": "family",
    "backbone_names": "registry",
    "get_backbone": "registry",
    "load_i3d": "i3d.family",
    "register_backbone_family": "registry",
    "zero_initialisers": "keras_weights",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package stays light."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
