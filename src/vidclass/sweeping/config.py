"""Sweep settings: the values to try on each axis, and how to search them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from vidclass.backbones.registry import get_backbone
from vidclass.config import FrozenConfig, RunConfig, SplitConfig
from vidclass.config.split import GroupsFrom
from vidclass.training.presets import run_config

# Of these, a sweep tries by itself those whose weights are on this machine.
LIGHT_BACKBONES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "MobileNetV2")
OWN: Literal["own"] = "own"

_Value = TypeVar("_Value")


def backbones_at_hand() -> tuple[str, ...]:
    """The light backbones whose weights need not be fetched or installed."""
    found = [name for name in LIGHT_BACKBONES if get_backbone(name).weights_state == "at hand"]
    return tuple(found) or LIGHT_BACKBONES[:1]


def _each_once(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    return tuple(dict.fromkeys(values))


_Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_each_once)]
_Frames = Annotated[int, Field(ge=1)]
_Side = Annotated[int, Field(ge=8, le=4096)]


class SweepSpace(FrozenConfig):
    """The values that a sweep tries on each axis, in every combination.

    `size`: sides of the input in pixels; `own` is what the backbone's weights were trained for.
    The other axes take what `vidclass train` takes under the same name.
    """

    backbone: _Names = Field(default_factory=backbones_at_hand)
    frames: Annotated[tuple[_Frames, ...], Field(min_length=1), AfterValidator(_each_once)] = (
        8, 16, 32,
    )  # fmt: skip
    size: Annotated[
        tuple[_Side | Literal["own"], ...], Field(min_length=1), AfterValidator(_each_once)
    ] = (OWN,)
    head: _Names = ("mean", "temporal", "gru")
    sampling: Annotated[
        tuple[Literal["uniform", "first", "stride", "random"], ...],
        Field(min_length=1),
        AfterValidator(_each_once),
    ] = ("uniform",)
    crop: Annotated[
        tuple[Literal["centre", "whole"], ...], Field(min_length=1), AfterValidator(_each_once)
    ] = ("centre",)
    precision: Annotated[
        tuple[Literal["auto", "f32", "bf16", "int8"], ...],
        Field(min_length=1),
        AfterValidator(_each_once),
    ] = ("auto",)

    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The values by axis."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def points(self) -> list[Point]:
        """Every combination once, in the order of a grid: the heads of one feature setting follow.

        Features are then made for one setting after the other, and a sweep that is cut short has
        whole settings.
        """
        axes = self.axes()
        order = ("backbone", "size", "crop", "precision", "sampling", "frames", "head")
        found: dict[Point, Point] = {}
        for values in product(*(axes[name] for name in order)):
            point = Point.of(dict(zip(order, values, strict=True)))
            found.setdefault(point.resolved(), point)
        return list(found.values())


@dataclass(frozen=True)
class Point:
    """One combination.  `size` is `own` or pixels a side."""

    backbone: str
    frames: int
    size: int | str
    head: str
    sampling: str
    crop: str
    precision: str

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Point:
        """From one value an axis, by name."""
        return cls(**{name: values[name] for name in SweepSpace.model_fields})

    def values(self) -> dict[str, Any]:
        """One value an axis."""
        return asdict(self)

    @property
    def side(self) -> int:
        """Pixels a side."""
        return get_backbone(self.backbone).size if self.size == OWN else int(self.size)

    def resolved(self) -> Point:
        """The same combination with its size in pixels."""
        return Point.of(self.values() | {"size": self.side})

    def features(self) -> dict[str, Any]:
        """What `run_config` takes as `features`."""
        return {
            "backbone": self.backbone,
            "frames": self.frames,
            "size": self.side,
            "policy": self.sampling,
            "crop": self.crop,
            "precision": self.precision,
        }

    def __str__(self) -> str:
        """For people to read."""
        return (
            f"{self.backbone} at {self.side} pixels, {self.frames} frames, {self.sampling}, "
            f"{self.crop}, {self.precision}, {self.head}"
        )


def untried(points: Sequence[Point], tried: Sequence[Point]) -> list[Point]:
    """Those of `points` that are none of `tried`, in their order."""
    seen = {point.resolved() for point in tried}
    return [point for point in points if point.resolved() not in seen]


Sampler = Literal["grid", "random", "tpe"]
# Settings that may be others when a sweep is continued.
_NOT_OF_THE_ROWS = {"trials", "timeout_s", "sampler", "prune", "remeasure", "command"}


class SweepConfig(FrozenConfig):
    """How a sweep goes about it.

    `trials`: how many combinations are tried in all, those of earlier calls included.
    `timeout_s`: seconds after which no further trial is begun; None for no limit.
    `sampler`: `grid` tries them in order, `random` in a random order, `tpe` where accuracy and cost
    of the earlier ones promise most; `auto` is `grid` if `trials` are enough for all, else `tpe`.
    `prune`: end a trial early that is clearly worse than one that costs no more.
    `command`: the beginning of the command lines that train a classifier of a row.
    `remeasure`: measure the cost of every row again, on this machine.
    `folds`, `seed`, `weights`, `epochs`, `groups`, `group_pattern`: as in `vidclass crossval`.
    """

    trials: Annotated[int, Field(ge=1)] = 30
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    sampler: Literal["auto", "grid", "random", "tpe"] = "auto"
    prune: bool = True
    remeasure: bool = False
    folds: Annotated[int, Field(ge=2)] = 5
    seed: Annotated[int, Field(ge=0)] = 0
    weights: str = "pretrained"
    epochs: Annotated[int, Field(ge=1)] | None = None
    groups: GroupsFrom = "auto"
    group_pattern: str | None = None
    command: tuple[str, ...] = ("vidclass", "train", "SOURCE")

    @property
    def split(self) -> SplitConfig:
        """Which clips must stay together."""
        return SplitConfig(groups=self.groups, group_pattern=self.group_pattern)

    def sampler_for(self, points: int) -> Sampler:
        """The sampler, for a space of so many points."""
        if self.sampler != "auto":
            return self.sampler
        return "grid" if points <= self.trials else "tpe"

    def run_config(self, point: Point) -> RunConfig:
        """What `cross_validate` and `train` are told for one combination.

        Raises:
            ConfigError: the combination is not allowed.
        """
        return run_config(
            head=point.head,
            features=point.features() | {"weights": self.weights},
            training={"seed": self.seed} | ({} if self.epochs is None else {"epochs": self.epochs}),
            split=self.split.model_dump(),
        )

    def identity(self, space: SweepSpace, data_fingerprint: str) -> dict[str, Any]:
        """What must be the same for two trials to be rows of one table."""
        return {
            **space.model_dump(mode="json"),
            **self.model_dump(mode="json", exclude=_NOT_OF_THE_ROWS),
            "data": data_fingerprint,
        }
