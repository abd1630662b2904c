"""From a head's numbers to probabilities, and from these to an answer.  Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidclass.tasks.label_scheme import Kind, LabelScheme

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Answer:
    """What the probabilities of one clip come to, where that is more than the most probable class.

    Attributes:
        label: The most probable of the classes that the clip may be said to be of; None for none.
        probability: That of `label`; without one, the highest there is.
        more: What the JSON of a prediction has besides: `labels` and `none_of_these`, `levels`, or
            `unknown`.
    """

    label: str | None
    probability: float
    more: dict[str, Any]


@dataclass(frozen=True)
class AnswerRule:
    """How a classifier answers.

    Attributes:
        scheme: Its classes.
        thresholds: (K,) of a multi-label classifier: the probability from which a class is named.
        unknown_below: The highest probability below which a single-label answer is `unknown`, where
            that was asked for; None without such a threshold.
    """

    scheme: LabelScheme
    thresholds: tuple[float, ...] = ()
    unknown_below: float | None = None

    def chosen(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """The classes named of each clip, (N,K) from (N,K): those at or above their thresholds."""
        thresholds = self.thresholds or (DEFAULT_THRESHOLD,) * probabilities.shape[1]
        return np.asarray(probabilities >= np.array(thresholds), np.bool_)

    def accepted(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(N,) whether the highest probability of each clip reaches `unknown_below`."""
        return np.asarray(probabilities.max(1) >= (self.unknown_below or 0.0), np.bool_)

    def answer(
        self, probabilities: NDArray[np.floating], *, unknown: bool = False
    ) -> Answer | None:
        """The answer to one clip, (K,); None where the most probable class is all there is to say.

        With `unknown`, a clip whose highest probability is below `unknown_below` gets no label.
        """
        if self.scheme.kind == "multi-label":
            return self._labels(probabilities)
        if self.scheme.kind == "hierarchy":
            return self._levels(probabilities)
        if not unknown:
            return None
        best = int(probabilities.argmax())
        known = bool(self.accepted(probabilities[None])[0])
        label = self.scheme.labels[best] if known else None
        return Answer(label, float(probabilities[best]), {"unknown": not known})

    def _labels(self, probabilities: NDArray[np.floating]) -> Answer:
        order = (-probabilities).argsort(kind="stable")
        chosen = self.chosen(probabilities[None])[0]
        named = [index for index in order if chosen[index]]
        labels = [self.scheme.labels[index] for index in named]
        best = float(probabilities[named[0] if named else order[0]])
        more = {"labels": labels, "none_of_these": not labels}
        return Answer(labels[0] if labels else None, best, more)

    def _levels(self, probabilities: NDArray[np.floating]) -> Answer:
        levels = [
            {"level": level, "label": nodes[best], "probability": float(scores[best])}
            for level, nodes, scores in level_scores(self.scheme, probabilities)
            for best in [int(scores.argmax())]
        ]
        best = int(probabilities.argmax())
        return Answer(self.scheme.labels[best], float(probabilities[best]), {"levels": levels})


def level_scores(
    scheme: LabelScheme, probabilities: NDArray[np.floating]
) -> list[tuple[int, list[str], NDArray[np.float64]]]:
    """For each level from 1: its number, its nodes, and their probabilities (...,nodes).

    A node is as probable as the leaves (...,K) below it together.
    """
    found = []
    for level in range(1, scheme.tree.depth + 1):
        nodes, members = scheme.tree.level(level)
        found.append((level, nodes, np.minimum(probabilities @ members, 1.0)))
    return found


def probabilities_of(logits: NDArray[Any], kind: Kind) -> NDArray[np.float64]:
    """Class probabilities (N,K) from a head's logits (N,K).

    They are independent of one another for a multi-label classifier; otherwise they add up to 1.
    """
    return sigmoid(logits) if kind == "multi-label" else softmax(logits)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities along the last axis.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    # exp overflows above about 709 in float64; shifting by the max leaves the ratio unchanged.
    wide = logits.astype(np.float64)
    shifted = np.exp(wide - wide.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), np.float64)


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float64]:
    """A probability for each number.

    >>> sigmoid(np.array([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    # Of a negative number only: exp of a large positive one overflows.
    falling = np.exp(-np.abs(logits.astype(np.float64)))
    return np.asarray(np.where(logits >= 0, 1.0, falling) / (1.0 + falling), np.float64)
