"""Settings of the label task."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vidclass.config.base import FrozenConfig

TaskKind = Literal["single-label", "multi-label", "hierarchy"]

_KIND_OF_SETTING: dict[str, TaskKind] = {"none_label": "multi-label", "unknown": "single-label"}
_REASONS = {
    "unknown": "a multi-label classifier has a threshold for each class, and a hierarchy gives a "
    "probability for each level"
}


class TaskConfig(FrozenConfig):
    """Label task, and when a clip gets no label.

    `kind`: `single-label`: one class a clip.  `multi-label`: any number of classes, each with a
    probability of its own.  `hierarchy`: labels with levels, as in `sport/basketball`.  `auto`:
    multi-label if a clip has several labels or there is a `none_label`, else single-label.
    `none_label`: label of background clips, which have none of the classes; makes the task
    multi-label.
    `unknown`: choose the probability below which a single-label decision is `unknown`, such that
    95 % of the correct decisions on the validation clips stay above it.
    `unknown_precision`: choose the lowest one above which this share of the decisions is correct.
    """

    kind: Literal["auto", TaskKind] = "auto"
    none_label: str | None = None
    unknown: bool = False
    unknown_precision: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _reject_contradictions(self) -> Self:
        if self.unknown and self.none_label is not None:
            raise ValueError("`unknown` and `none_label` exclude each other: choose one")
        for name, kind in _KIND_OF_SETTING.items():
            value = getattr(self, name)
            if value not in (None, False) and self.kind not in ("auto", kind):
                reason = f": {_REASONS[name]}" if name in _REASONS else ""
                raise ValueError(
                    f"{name}={value!r} is for {kind} classifiers, not for "
                    f"kind={self.kind!r}{reason}"
                )
        if self.unknown_precision is not None and not self.unknown:
            raise ValueError("`unknown_precision` is used only with unknown=True")
        return self
