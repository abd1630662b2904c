"""Settings of a sweep: the values to try on each axis, and how to search them."""

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

# Of these, a sweep tries by default those whose weights are on this machine.
LIGHT_BACKBONES = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "MobileNetV2")
OWN: Literal["own"] = "own"

Sampler = Literal["grid", "random", "tpe"]
# Settings that may change when a sweep is continued.
_NOT_PART_OF_IDENTITY = {"trials", "timeout_s", "sampler", "prune", "remeasure", "command"}

_Value = TypeVar("_Value")


def available_backbones() -> tuple[str, ...]:
    """Return the light backbones whose weights need not be downloaded; the lightest if none."""
    available = [name for name in LIGHT_BACKBONES if get_backbone(name).weights_state == "at hand"]
    return tuple(available) or LIGHT_BACKBONES[:1]


def _unique(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    return tuple(dict.fromkeys(values))


_Axis = Annotated[tuple[_Value, ...], Field(min_length=1), AfterValidator(_unique)]
_Frames = Annotated[int, Field(ge=1)]
_Side = Annotated[int, Field(ge=8, le=4096)]


class SweepSpace(FrozenConfig):
    """Values to try on each axis; a sweep tries every combination.

    `size`: sides of the input in pixels; `own` is the side the backbone's weights were trained at.
    The other axes take the values that `vidclass train` takes under the same name.
    """

    backbone: _Axis[str] = Field(default_factory=available_backbones)
    frames: _Axis[_Frames] = (8, 16, 32)
    size: _Axis[_Side | Literal["own"]] = (OWN,)
    head: _Axis[str] = ("mean", "temporal", "gru")
    sampling: _Axis[Literal["uniform", "first", "stride", "random"]] = ("uniform",)
    crop: _Axis[Literal["centre", "whole"]] = ("centre",)
    precision: _Axis[Literal["auto", "f32", "bf16", "int8"]] = ("auto",)

    def axes(self) -> dict[str, tuple[Any, ...]]:
        """Return the values of each axis by its name."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def points(self) -> list[Point]:
        """Return every distinct combination in grid order; heads vary fastest.

        Features are thus extracted for one setting after the other, and a sweep that is cut short
        has tried whole settings.
        """
        axes = self.axes()
        order = ("backbone", "size", "crop", "precision", "sampling", "frames", "head")
        points: dict[Point, Point] = {}
        for values in product(*(axes[name] for name in order)):
            point = Point.from_values(dict(zip(order, values, strict=True)))
            points.setdefault(point.resolved(), point)
        return list(points.values())


@dataclass(frozen=True)
class Point:
    """One combination of values.  `size` is `own` or pixels a side."""

    backbone: str
    frames: int
    size: int | str
    head: str
    sampling: str
    crop: str
    precision: str

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Point:
        """Return the point with one value per axis, by name."""
        return cls(**{name: values[name] for name in SweepSpace.model_fields})

    def values(self) -> dict[str, Any]:
        """Return the value of each axis by name."""
        return asdict(self)

    @property
    def side(self) -> int:
        """Side of the input in pixels."""
        return get_backbone(self.backbone).size if self.size == OWN else int(self.size)

    def resolved(self) -> Point:
        """Return the same combination with its size in pixels."""
        return Point.from_values(self.values() | {"size": self.side})

    def features(self) -> dict[str, Any]:
        """Return the feature settings as `run_config` takes them."""
        return {
            "backbone": self.backbone,
            "frames": self.frames,
            "size": self.side,
            "policy": self.sampling,
            "crop": self.crop,
            "precision": self.precision,
        }

    def __str__(self) -> str:
        """Return the combination as one line of text."""
        return (
            f"{self.backbone} at {self.side} pixels, {self.frames} frames, {self.sampling}, "
            f"{self.crop}, {self.precision}, {self.head}"
        )


def untried(points: Sequence[Point], tried: Sequence[Point]) -> list[Point]:
    """Return the points that are not in `tried`, in their order; sizes compare in pixels."""
    resolved = {point.resolved() for point in tried}
    return [point for point in points if point.resolved() not in resolved]


class SweepConfig(FrozenConfig):
    """Search settings of a sweep.

    `trials`: number of combinations to try, those of earlier calls included.
    `timeout_s`: seconds after which no further trial starts; None for no limit.
    `sampler`: `grid` tries combinations in order, `random` in random order, `tpe` where earlier
    accuracies and costs promise most; `auto` is `grid` if `trials` cover the space, else `tpe`.
    `prune`: end a trial early that is clearly worse than one that costs no more.
    `command`: first words of the command lines that train a classifier of a row.
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
        """Settings of the groups that folds keep together."""
        return SplitConfig(groups=self.groups, group_pattern=self.group_pattern)

    def sampler_for(self, points: int) -> Sampler:
        """Return the sampler for a space of `points` combinations."""
        if self.sampler != "auto":
            return self.sampler
        return "grid" if points <= self.trials else "tpe"

    def run_config(self, point: Point) -> RunConfig:
        """Return the configuration of `cross_validate` and `train` for one combination.

        Raises:
            ConfigError: The combination is not allowed.
        """
        return run_config(
            head=point.head,
            features=point.features() | {"weights": self.weights},
            training={"seed": self.seed} | ({} if self.epochs is None else {"epochs": self.epochs}),
            split=self.split.model_dump(),
        )

    def identity(self, space: SweepSpace, data_fingerprint: str) -> dict[str, Any]:
        """Return the settings that two trials must share to be rows of one table."""
        return {
            **space.model_dump(mode="json"),
            **self.model_dump(mode="json", exclude=_NOT_PART_OF_IDENTITY),
            "data": data_fingerprint,
        }
