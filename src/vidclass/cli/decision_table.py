"""How answers look that are more than the most probable class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidclass.cli.tables import percent

if TYPE_CHECKING:
    from vidclass.inference.classifier import Classifier, Prediction


def answer_line(prediction: Prediction) -> str:
    """The answer in words: the labels, the levels, or that there is none; else empty."""
    if prediction.answer is None:
        return ""
    more = prediction.answer.more
    if "labels" in more:
        return ", ".join(more["labels"]) or "none of these"
    if "levels" in more:
        return ", ".join(
            f"{row['label']} ({percent(row['probability'])})" for row in more["levels"]
        )
    return "unknown" if more["unknown"] else ""


def answer_columns(classifier: Classifier) -> list[str]:
    """The columns that a table of such answers has besides those of every table."""
    scheme = classifier.bundle.rule.scheme
    if scheme.kind == "multi-label":
        return ["labels", "none_of_these"]
    if scheme.kind == "hierarchy":
        return [f"level_{level}" for level in range(1, scheme.tree.depth + 1)]
    return ["unknown"] if classifier.unknown else []


def answer_cells(prediction: Prediction, columns: Sequence[str]) -> list[str]:
    """What stands in those columns; nothing for a video that failed."""
    if prediction.answer is None:
        return [""] * len(columns)
    more = prediction.answer.more
    if "levels" in more:
        return [row["label"] for row in more["levels"]]
    if "labels" in more:
        return ["|".join(more["labels"]), str(more["none_of_these"]).lower()]
    return [str(more["unknown"]).lower()]
