"""A family of backbones of a user's own: tiny networks, one of them for windows of frames."""

from __future__ import annotations

from typing import Any

from vidclass.backbones import Backbone, BackboneFamily, register_backbone_family


@register_backbone_family
class OwnFamily(BackboneFamily):
    """Networks of `small_networks`; `own:SIZE` is one that is made for images of that size."""

    names = ("own_frames", "own_windows")
    prefix = "own"

    def describe(self, name: str) -> Backbone:
        size = int(name.removeprefix("own:")) if name.startswith("own:") else 32
        window = 4 if name == "own_windows" else 1
        return Backbone(name, self, size, 4, 112, window, licence="MIT")

    def build(self, name: str, *, size: int, weights: str, window: int) -> Any:
        from small_networks import tiny, windowed

        return windowed(size, window) if window > 1 else tiny(size)

    def weights_id(self, name: str, weights: str) -> str:
        return f"own-1-{weights}"

    def weights_state(self, name: str) -> Any:
        return "at hand"

    def weights_source(self, name: str) -> str:
        return "by nobody: they are computed"


class TakesMobileNet(OwnFamily):
    """A family with the name of another's backbone."""

    names = ("MobileNet",)
    prefix = ""


class TakesPrefix(OwnFamily):
    """A family with another's prefix."""

    names = ()
    prefix = "timm"
