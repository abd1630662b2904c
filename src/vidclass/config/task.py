"""Settings of the label task."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vidclass.config.base import FrozenConfig


class TaskConfig(FrozenConfig):
    """What the labels of a clip mean, and when the answer is none of them (docs/how-to/labels.md).

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
            raise ValueError("`unknown` and `none_label` exclude each other: choose one")
        if self.unknown and self.kind in ("multi-label", "hierarchy"):
            raise ValueError(
                f"`unknown` is for single-label classifiers, not for kind={self.kind!r}: a "
                "multi-label one has a threshold for each class, and a hierarchy says how sure "
                "each level is"
            )
        if self.unknown_precision is not None and not self.unknown:
            raise ValueError("`unknown_precision` is used only with unknown=True")
        return self
