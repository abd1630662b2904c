"""Families of a user's own: one that takes no notice of the image data format."""

from __future__ import annotations

from itertools import count
from typing import Any

from vidclass.backbones import Backbone, BackboneFamily, WeightsState


class ChannelsLast(BackboneFamily):
    """A tiny network whose channels are always last."""

    names = ("always_channels_last",)

    def describe(self, name: str) -> Backbone:
        return Backbone(name, self, size=48, width=8, parameters=224)

    def build(self, name: str, *, size: int, weights: str, window: int) -> Any:
        import keras

        keras.utils.set_random_seed(0)
        frames = keras.Input((size, size, 3))
        maps = keras.layers.Conv2D(8, 3, strides=2, data_format="channels_last")(frames)
        pool = keras.layers.GlobalAveragePooling2D(data_format="channels_last")
        return keras.Model(frames, pool(maps))

    def weights_id(self, name: str, weights: str) -> str:
        return f"channels-last-1-{weights}"

    def weights_state(self, name: str) -> WeightsState:
        return "at hand"

    def weights_source(self, name: str) -> str:
        return "by this module"


class Forgetful(ChannelsLast):
    """A family whose keys of weights change from call to call."""

    names = ("forgetful",)

    calls = count()

    def weights_id(self, name: str, weights: str) -> str:
        return str(next(self.calls))
