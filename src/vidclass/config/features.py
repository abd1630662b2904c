"""Settings of feature extraction: sampling of frames, their geometry, and the backbone."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from vidclass.config.base import FrozenConfig

MAX_FRAMES = 4096


class SamplingConfig(FrozenConfig):
    """Number and positions of the frames that are used of a clip.

    `uniform`: the mid-points of `frames` equal parts of the clip.
    `random`: one frame drawn from each of `frames` equal parts (TSN, Wang et al. 2016).  The draw
    follows from `seed` and the bytes of the video, so that a clip always gives the same frames.
    `first`: the first `frames` frames of the clip, as the Keras example does.
    `stride`: one frame every `stride_s` seconds, at most `frames` of them.

    With `views` above 1, `uniform` and `random` cut each part into as many, so that the clip gives
    `views` interleaved sets of `frames` frames.  A head sees them all, in the order of time: for
    it, T is `frames` times `views`.

    A clip with fewer frames than asked for gives each of its frames once.
    """

    policy: Literal["uniform", "first", "stride", "random"] = "uniform"
    frames: Annotated[int, Field(ge=1, le=MAX_FRAMES)] = 20
    stride_s: Annotated[float, Field(gt=0)] = 0.2
    views: Annotated[int, Field(ge=1, le=MAX_FRAMES)] = 1
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def total_frames(self) -> int:
        """Largest number of frames of a clip, T: those of all views."""
        return self.frames * self.views

    @model_validator(mode="before")
    @classmethod
    def _reject_idle(cls, data: Any) -> Any:
        """Refuse settings that the policy does not read: they would only change the fingerprint."""
        if not isinstance(data, dict):
            return data
        policy = data.get("policy", cls.model_fields["policy"].default)
        for name, used_by in _ONLY_FOR.items():
            default = cls.model_fields[name].default
            if data.get(name, default) != default and policy not in used_by:
                policies = " and ".join(f"policy={policy!r}" for policy in used_by)
                raise ValueError(f"`{name}` is used only by {policies}")
        return data

    @model_validator(mode="after")
    def _limit_total(self) -> Self:
        if self.total_frames > MAX_FRAMES:
            raise ValueError(f"`frames` * `views` is {self.total_frames}, more than {MAX_FRAMES}")
        return self


_ONLY_FOR = {"stride_s": ("stride",), "views": ("uniform", "random"), "seed": ("random",)}


class GeometryConfig(FrozenConfig):
    """Crop and size of the square image that is made of a frame, `size` pixels a side.

    `centre`: the largest centred square, resized (the Keras example).
    `whole`: the whole frame squeezed to the square, nothing cut off.
    `short_side`: the frame is scaled to this length of its shorter side, and `size` pixels of it
    are cropped; 256 and 224 is what many networks were trained with. None uses the whole side.
    `mirror`: swap left and right.
    """

    crop: Literal["centre", "whole"] = "centre"
    size: Annotated[int, Field(ge=8, le=4096)] = 224
    short_side: Annotated[int, Field(ge=8, le=8192)] | None = None
    mirror: bool = False

    @model_validator(mode="after")
    def _short_side_fits(self) -> Self:
        if self.short_side is None:
            return self
        if self.crop != "centre":
            raise ValueError(f"short_side={self.short_side} is used only by crop='centre'")
        if self.short_side < self.size:
            raise ValueError(f"short_side={self.short_side} is less than size={self.size}")
        return self


class FeatureConfig(FrozenConfig):
    """All settings that change the features of a clip.

    `weights`: `pretrained`, `random` (for tests and for measuring speed), or the path of a Keras
    weights file for this backbone.
    `precision`: the numbers in which the backbone computes. `auto` is bf16 where the processor
    has it, else f32; int8 is the quickest, and is calibrated on frames of the clips themselves.
    """

    backbone: str = "efficientnet_lite0"
    weights: str = "pretrained"
    precision: Literal["auto", "f32", "bf16", "int8"] = "auto"
    sampling: SamplingConfig = SamplingConfig()
    geometry: GeometryConfig = GeometryConfig()
