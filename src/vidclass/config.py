"""Settings that several rooms share: frozen models in which an unknown key is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from vidclass.errors import ConfigError


class FrozenConfig(BaseModel):
    """Base of all settings: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def checked(cls, **values: Any) -> Self:
        """Build from keywords; a wrong one raises ConfigError, in one line that names it."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(one_line(error)) from error


def one_line(error: ValidationError) -> str:
    """A pydantic error as one sentence a message: `name=value: what is wrong`."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'settings'}={item['input']!r}: "
        f"{item['msg']}"
        for item in error.errors()
    )


def without_defaults(
    config: FrozenConfig, handler: SerializerFunctionWrapHandler, *later: str
) -> dict[str, Any]:
    """Settings that came later are written only where they are set: fingerprints stay."""
    fields = type(config).model_fields
    return {
        name: value
        for name, value in handler(config).items()
        if name not in later or getattr(config, name) != fields[name].default
    }


MAX_FRAMES = 4096


class SamplingConfig(FrozenConfig):
    """How many frames of a clip are used, and which.

    `uniform`: the mid-points of `frames` equal parts of the clip.
    `random`: one frame drawn from each of `frames` equal parts (TSN, Wang et al. 2016).  The draw
    follows from `seed` and the bytes of the video, so that a clip always gives the same frames.
    `head`: the first `frames` frames of the clip, as the Keras example does.
    `stride`: one frame every `stride_s` seconds, at most `frames` of them.

    With `views` above 1, `uniform` and `random` cut each part into as many, so that the clip gives
    `views` interleaved sets of `frames` frames.  A head sees them all, in the order of time: for
    it, T is `frames` times `views`.

    A clip with fewer frames than asked for gives each of its frames once.
    """

    policy: Literal["uniform", "head", "stride", "random"] = "uniform"
    frames: Annotated[int, Field(ge=1, le=MAX_FRAMES)] = 20
    stride_s: Annotated[float, Field(gt=0)] = 0.2
    views: Annotated[int, Field(ge=1, le=MAX_FRAMES)] = 1
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def total_frames(self) -> int:
        """T, the most frames that a clip gives: those of all views."""
        return self.frames * self.views

    @model_validator(mode="before")
    @classmethod
    def _reject_idle(cls, data: Any) -> Any:
        """A setting that the policy does not read would change nothing but the fingerprint."""
        if not isinstance(data, dict):
            return data
        policy = data.get("policy", cls.model_fields["policy"].default)
        for name, used_by in _ONLY_FOR.items():
            default = cls.model_fields[name].default
            if data.get(name, default) != default and policy not in used_by:
                policies = " and ".join(f"policy={policy!r}" for policy in used_by)
                raise ValueError(f"{name} is used only by {policies}")
        return data

    @model_validator(mode="after")
    def _limit_total(self) -> Self:
        if self.total_frames > MAX_FRAMES:
            raise ValueError(f"frames times views is {self.total_frames}, more than {MAX_FRAMES}")
        return self

    @model_serializer(mode="wrap")
    def _omit_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler, "views", "seed")


_ONLY_FOR = {"stride_s": ("stride",), "views": ("uniform", "random"), "seed": ("random",)}


class GeometryConfig(FrozenConfig):
    """How a frame becomes a square picture of `size` pixels a side.

    `centre`: the largest centred square, resized (the Keras example).
    `whole`: the whole frame squeezed to the square, nothing cut off.
    `short_side`: the length that the frame's shorter side would have when `size` pixels of it are
    used: 256 and 224 is what many networks were trained for. None uses all of it.
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

    @model_serializer(mode="wrap")
    def _omit_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler, "short_side", "mirror")


class FeatureConfig(FrozenConfig):
    """Everything that changes the features of a clip.

    `weights`: `imagenet`, `random` (for tests and for measuring speed), or the path of a Keras
    weights file for this backbone.
    `precision`: the numbers in which the backbone computes. `auto` is bf16 where the processor
    has it, else f32; int8 is the quickest, and is calibrated on frames of the clips themselves.
    """

    backbone: str = "efficientnet_lite0"
    weights: str = "imagenet"
    precision: Literal["auto", "f32", "bf16", "int8"] = "auto"
    sampling: SamplingConfig = SamplingConfig()
    geometry: GeometryConfig = GeometryConfig()


GroupsFrom = Literal["auto", "parent", "near-duplicates", "none"]


class SplitConfig(FrozenConfig):
    """How clips without a given split are divided.

    `groups`: which clips must stay together.  `auto`: those with the same `group`, else the same
    `_gNN_` in the name.  `parent`: those in one folder below their class's.  `near-duplicates`: as
    `auto`, and clips whose features are nearly the same.  `none`: only those of one video.
    `group_pattern`: a regular expression that finds the group in the path, in place of given ones.
    `validation_tail`: take the last part of the training rows in file order as validation, as
    the Keras example does, in place of a stratified choice by group.
    """

    groups: GroupsFrom = "auto"
    group_pattern: str | None = None
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.2
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    validation_tail: Annotated[float, Field(gt=0, lt=1)] | None = None
    allow_leak: bool = False


class TaskConfig(FrozenConfig):
    """What the labels of a clip mean, and when the answer is none of them (docs/labels.md).

    `kind`: `single-label`: one class a clip.  `multi-label`: any number of classes, each with a
    probability of its own.  `hierarchy`: labels with levels, as in `sport/basketball`.  `auto`:
    multi-label where a clip has several labels or there is a `none_label`, else single-label.
    `none_label`: the label of clips that are of none of the classes; they are what all classes are
    absent from, so the task is multi-label.
    `unknown`: find the probability below which a single-label answer is `unknown`, such that 95 %
    of the right answers on the validation clips stay above it.
    `unknown_precision`: find the lowest one above which this share of the answers is right instead.
    """

    kind: Literal["auto", "single-label", "multi-label", "hierarchy"] = "auto"
    none_label: str | None = None
    unknown: bool = False
    unknown_precision: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _reject_contradictions(self) -> Self:
        if self.none_label is not None and self.kind not in ("auto", "multi-label"):
            raise ValueError(f"none_label={self.none_label!r} is not for kind={self.kind!r}")
        if self.unknown and self.none_label is not None:
            raise ValueError("unknown and none_label exclude one another: take one of them")
        if self.unknown and self.kind in ("multi-label", "hierarchy"):
            raise ValueError(
                f"unknown is for single-label classifiers, not for kind={self.kind!r}: a "
                "multi-label one has a threshold for each class, and a hierarchy says how sure "
                "each level is"
            )
        if self.unknown_precision is not None and not self.unknown:
            raise ValueError("unknown_precision is used only with unknown=True")
        return self
