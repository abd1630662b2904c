"""What a run can be told: frozen models in which an unknown key is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
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
        """Settings that came later are written only where they are set: fingerprints stay."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if name not in ("views", "seed") or value != fields[name].default
        }


_ONLY_FOR = {"stride_s": ("stride",), "views": ("uniform", "random"), "seed": ("random",)}


class GeometryConfig(FrozenConfig):
    """How a frame becomes a square picture of `size` pixels a side.

    `centre`: the largest centred square, resized (the Keras example).
    `whole`: the whole frame squeezed to the square, nothing cut off.
    """

    crop: Literal["centre", "whole"] = "centre"
    size: Annotated[int, Field(ge=8, le=4096)] = 224


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


class TrainingConfig(FrozenConfig):
    """How a head is fitted.

    `optimizer`: Adam, or stochastic gradient descent with Nesterov momentum of 0.9.
    `weight_decay`: decoupled, on everything but biases; Adam only.
    `cosine`: let the learning rate fall to zero along half a cosine over the epochs.
    `patience`: epochs without a better validation loss after which training stops; None trains
    all `epochs`.  The weights of the best epoch are kept either way.
    `refit`: once the best epoch is known, train again on training and validation clips together,
    for as many epochs; otherwise the validation clips are never learned from.
    `balance_classes`: weigh classes by the inverse of their share when the largest has at least
    1.5 times as many clips as the smallest.
    """

    epochs: Annotated[int, Field(ge=1)] = 60
    batch_size: Annotated[int, Field(ge=1)] = 32
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    cosine: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    patience: Annotated[int, Field(ge=1)] | None = None
    refit: bool = True
    balance_classes: bool = True
    seed: Annotated[int, Field(ge=0)] = 0


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


class RunConfig(FrozenConfig):
    """A whole training run."""

    features: FeatureConfig = FeatureConfig()
    head: str = "temporal"
    training: TrainingConfig = TrainingConfig()
    split: SplitConfig = SplitConfig()


class FinetuneConfig(FrozenConfig):
    """How the last layers of a backbone are trained together with the head.

    `unfreeze`: a whole number, the last blocks of the backbone and what follows them; a number
    between 0 and 1, that share of its layers with weights; or `all`.  Batch norms stay as they are.
    `batch_size`: clips a step.  `micro_batch`: clips computed at a time on each device; gradients
    are summed over as many of these as a step needs, so that memory follows `micro_batch`.
    `learning_rate`: the head's, at its highest.  `backbone_rate`: the last block's, as a share of
    it; every block below that has `layer_decay` times the rate of the one above (discriminative
    fine-tuning, Howard and Ruder 2018).
    `warmup`: the share of all steps in which the rates rise; then they fall along half a cosine.
    `patience`: epochs without a better validation loss after which training stops.
    `jitter`: draw other frames each epoch, one of each equal part of the clip.
    `flip`: mirror half of the clips.  `swap_labels`: pairs of labels that a mirror exchanges.
    `remat`: keep no activations of the backbone but make them again, one frame of each clip at a
    time: less memory, more time.
    `mixed_precision`: `auto` computes in bfloat16 on a GPU alone.
    `checkpoint_s`: seconds of work that a kill may cost.
    """

    unfreeze: int | float | Literal["all"] = 4
    epochs: Annotated[int, Field(ge=1)] = 10
    patience: Annotated[int, Field(ge=1)] | None = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    micro_batch: Annotated[int, Field(ge=1)] = 4
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    backbone_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    balance_classes: bool = True
    jitter: bool = True
    flip: bool = False
    swap_labels: tuple[tuple[str, str], ...] = ()
    remat: bool = False
    mixed_precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    checkpoint_s: Annotated[float, Field(ge=0)] = 60.0
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("unfreeze", mode="before")
    @classmethod
    def _read_unfreeze(cls, value: Any) -> Any:
        """Text becomes the number that it says."""
        number = value
        if isinstance(value, str) and value != "all":
            try:
                number = float(value) if "." in value else int(value)
            except ValueError:
                number = None
        blocks = isinstance(number, int) and not isinstance(number, bool) and number >= 1
        share = isinstance(number, float) and 0 < number < 1
        if not (number == "all" or blocks or share):
            raise ValueError("give 'all', a number of blocks from 1 on, or a share such as 0.3")
        return number

    @model_validator(mode="after")
    def _check_swaps(self) -> Self:
        if self.swap_labels and not self.flip:
            raise ValueError("swap_labels is used only with flip")
        names = [name for pair in self.swap_labels for name in pair]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"swap_labels has {twice} more than once")
        return self
