"""How a sweep goes about it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from vidclass.config import FrozenConfig, RunConfig, SplitConfig
from vidclass.config.split import GroupsFrom
from vidclass.sweeping.space import Point, SweepSpace
from vidclass.training.presets import run_config

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
