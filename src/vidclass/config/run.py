"""Settings of a whole training run."""

from __future__ import annotations

from vidclass.config.features import FeatureConfig
from vidclass.config.mirror import MirrorConfig
from vidclass.config.split import SplitConfig
from vidclass.config.task import TaskConfig
from vidclass.config.training import TrainingConfig


class RunConfig(MirrorConfig):
    """Settings of a whole training run.

    `more`: further views of every clip. Each view has a head of its own, and their probabilities
    are averaged.
    `flip`: train on the mirror image of every clip, too, and average the predictions of both.
    `head`: `auto` compares heads on the training clips, `auto(mean, gru(units=32))` those named.
    `training`: settings of the training of the head. With `auto` each head brings its own, and of
    these only those named in `given` count. A linear head is solved as a logistic regression,
    unless more than the seed is given.
    """

    features: FeatureConfig = FeatureConfig()
    more: tuple[FeatureConfig, ...] = ()
    head: str = "auto"
    training: TrainingConfig = TrainingConfig()
    given: tuple[str, ...] = ()
    split: SplitConfig = SplitConfig()
    task: TaskConfig = TaskConfig()

    @property
    def compares_heads(self) -> bool:
        """True if several heads are compared."""
        return self.head.split("(", 1)[0].strip() == "auto"

    @property
    def views(self) -> tuple[FeatureConfig, ...]:
        """Feature settings of every view, without mirror images."""
        return (self.features, *self.more)
