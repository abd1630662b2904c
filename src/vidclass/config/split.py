"""Settings of the split into train, validation and test clips."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vidclass.config.base import FrozenConfig

GroupsFrom = Literal["auto", "parent", "near-duplicates", "none"]


class SplitConfig(FrozenConfig):
    """Settings of the split of clips that have none yet.

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
