"""Settings of a whole training run."""

from __future__ import annotations

from typing import Any, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from vidclass.config.base import FrozenConfig
from vidclass.config.features import FeatureConfig
from vidclass.config.split import SplitConfig
from vidclass.config.task import TaskConfig
from vidclass.config.training import TrainingConfig


class RunConfig(FrozenConfig):
    """A whole training run.

    `more`: further views of every clip. Each view has a head of its own, and their probabilities
    are averaged.
    `flip`: learn from the mirror image of every clip too, and answer with the mean of both.
    `swap_labels`: the label that the mirror image of a clip has, for labels that tell left from
    right; each pair is given once.
    `head`: `auto` compares heads on the training clips, `auto(mean, gru(units=32))` those named.
    `training`: how the head is fitted. With `auto` each head brings settings of its own, and of
    these only those named in `given` count. A linear head is solved exactly, unless more than the
    seed is given.
    """

    features: FeatureConfig = FeatureConfig()
    more: tuple[FeatureConfig, ...] = ()
    flip: bool = False
    swap_labels: dict[str, str] = {}
    head: str = "auto"
    training: TrainingConfig = TrainingConfig()
    given: tuple[str, ...] = ()
    split: SplitConfig = SplitConfig()
    task: TaskConfig = TaskConfig()

    @model_validator(mode="after")
    def _swaps_need_flips(self) -> Self:
        if self.swap_labels and not self.flip:
            raise ValueError(f"swap_labels={self.swap_labels} does nothing without flip")
        return self

    @property
    def compares_heads(self) -> bool:
        """Whether `head` asks for a comparison."""
        return self.head.split("(", 1)[0].strip() == "auto"

    @property
    def views(self) -> tuple[FeatureConfig, ...]:
        """What every clip is seen by, mirror images left out."""
        return (self.features, *self.more)

    @model_serializer(mode="wrap")
    def _omit_default_task(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The task came later: it is written only where it is set."""
        values: dict[str, Any] = handler(self)
        if self.task == TaskConfig():
            del values["task"]
        return values
