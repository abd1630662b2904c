"""Choose the head of a run by comparing several on the training clips alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.errors import ConfigError, SplitError
from vidclass.heads.registry import heads, parse_head
from vidclass.tasks.base import LabelTask
from vidclass.training.augment import require_reversible
from vidclass.training.examples import AnyExamples, Examples, in_memory
from vidclass.training.head_comparison import Difference, HeadPredictions, compare_heads
from vidclass.training.holdout import ClipGroups, Rows
from vidclass.training.presets import DEFAULT_HEAD, candidates, training_of
from vidclass.types import Progress, no_progress

FOLDS = 4
# A comparison on more clips would take long and change little.
MAX_CLIPS = 2000
# `HeadChoice.why` if there was nothing to choose.
ASKED_FOR = "it was asked for"


@dataclass(frozen=True)
class ComparedHead:
    """Result of one head in a comparison.

    Attributes:
        head: Name of the head; two names with a plus between them are the mean of two heads.
        parameters: Number of its parameters.
        accuracy: Accuracy on held-out clips, over the evaluated folds.
        loss: Mean log loss on these clips.
        behind: Excess of that over the loss of the best head, on the same clips.
        folds: Number of evaluated folds; fewer than all if the head was dropped early.
        seconds: Duration of its trainings.
    """

    head: str
    parameters: int
    accuracy: float
    loss: float
    behind: Difference
    folds: int
    seconds: float


@dataclass(frozen=True)
class HeadChoice:
    """The heads to train, and the reason.

    Attributes:
        heads: One, or two whose probabilities are averaged.
        why: Reason, as a clause.
        compared: A row for each head, the best first; empty without a comparison.
    """

    heads: tuple[str, ...]
    why: str
    compared: list[ComparedHead] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Names of the heads in one text."""
        return " + ".join(self.heads)


def choose_head(
    clips: ClipGroups,
    data: AnyExamples,
    config: RunConfig,
    *,
    task: LabelTask,
    progress: Progress = no_progress,
) -> HeadChoice:
    """Return the simplest head that is as good as the best, by grouped cross-validation.

    Heads are compared by the log loss of held-out clips, which tells more than their accuracy if
    clips are few.  "As good" is within one standard error (Breiman, Friedman, Olshen and Stone
    1984), here of the difference between two heads on the same clips, with groups as clusters;
    "simplest" is the fewest parameters.  The mean of the two best heads is chosen only if it is
    more than a standard error better than the best.

    Args:
        clips: Labels and groups of the training and validation clips, without test clips.
        data: Features of these clips.
        config: Settings of the run.
        task: Label task.
        progress: Callback; reports stage `compare`.
    """
    names = candidates(config.head)
    if names is None:
        return HeadChoice((config.head,), ASKED_FOR)
    if len(names) == 1:
        return HeadChoice(names, "no other was named")
    if not task.targets_are_indices:
        return HeadChoice((_fallback(names),), f"{task.kind} heads are not compared")
    rows = sample_groups(clips, config.training.seed)
    clips, sampled = clips.at(rows), in_memory(data, rows)
    task = task.with_labels(sorted(set(clips.labels)))
    sampled = replace(sampled, targets=task.targets(clips.labels))
    try:
        folds = _comparison_folds(clips, config.training.seed)
    except SplitError as error:
        return HeadChoice((_fallback(names),), f"the clips allow no comparison ({error})")
    predictions = compare_heads(
        names, clips, sampled, config, task=task, folds=folds, progress=progress
    )
    parameters = {name: _parameters(name, sampled, len(task.labels)) for name in names}
    return select_head(predictions, parameters)


def require_heads(config: RunConfig, task: LabelTask) -> None:
    """Require heads, and settings of their training, that suit the task.

    Raises:
        ConfigError: There is no such head, its logits of different classes depend on one another
            although a clip may have several labels, or a setting is not for the task or the head.
    """
    names = candidates(config.head) or (config.head,)
    if not task.targets_are_indices:
        names = (_fallback(names),)
    for name in names:
        head, _ = parse_head(name)
        if task.multi_label and not head.independent:
            suitable = sorted(other.name for other in heads().values() if other.independent)
            raise ConfigError(
                f"head={name!r} shares out one probability among all classes, so that no two of "
                "them could be sure at once: for several labels a clip choose one of "
                f"{suitable}."
            )
        training = training_of(config, name)
        task.require_training(training)
        require_reversible(training.augment, name, task.labels)


def _fallback(names: Sequence[str]) -> str:
    """Return the head to take without a comparison."""
    return DEFAULT_HEAD if DEFAULT_HEAD in names else names[0]


def select_head(
    predictions: Mapping[str, HeadPredictions], parameters: Mapping[str, int]
) -> HeadChoice:
    """Apply the rule of `choose_head` to the predictions and parameter counts of heads."""
    folds = max(head.folds for head in predictions.values())
    ranked = sorted(
        (name for name, head in predictions.items() if head.folds == folds),
        key=lambda name: predictions[name].loss,
    )
    best = predictions[ranked[0]]
    rows = [_row(name, head, best, parameters[name]) for name, head in predictions.items()]
    ensemble = _ensemble_row(ranked[:2], predictions, parameters)
    shown = sorted([*rows, *ensemble], key=lambda row: (-row.folds, row.loss))
    for row in ensemble:
        if -row.behind.mean > max(row.behind.error, 1e-9):
            gain = f"{-row.behind.mean:.3f} ± {row.behind.error:.3f}"
            why = f"their mean has a log loss {gain} below that of {ranked[0]}"
            return HeadChoice(tuple(ranked[:2]), why, shown)
    as_good = [row for row in rows if row.folds == folds and row.behind.mean <= row.behind.error]
    chosen = min(as_good, key=lambda row: (row.parameters, row.loss))
    if chosen.head == ranked[0]:
        why = "it has the lowest log loss, and nothing simpler is within one standard error of it"
    else:
        why = (
            f"its log loss is {chosen.behind.mean:.3f} above that of {ranked[0]}, within one "
            f"standard error ({chosen.behind.error:.3f}), and it is simpler"
        )
    return HeadChoice((chosen.head,), why, shown)


def _ensemble_row(
    names: Sequence[str],
    predictions: Mapping[str, HeadPredictions],
    parameters: Mapping[str, int],
) -> list[ComparedHead]:
    """Return the row of the mean of two heads, the better one first; none for a single head."""
    if len(names) < 2:
        return []
    best = predictions[names[0]]
    mean = np.mean([predictions[name].probabilities for name in names], 0)
    size = sum(parameters[name] for name in names)
    row = _row(" + ".join(names), replace(best, probabilities=mean), best, size)
    return [replace(row, seconds=0.0)]


def _row(name: str, head: HeadPredictions, best: HeadPredictions, parameters: int) -> ComparedHead:
    behind = head.behind(best)
    return ComparedHead(
        name, parameters, head.accuracy, head.loss, behind, head.folds, head.seconds
    )


def _parameters(name: str, data: Examples, classes: int) -> int:
    from vidclass.heads.cost import parameters
    from vidclass.heads.registry import build_head

    frames, width = data.steps
    return parameters(build_head(name, frames, width, classes))


def sample_groups(clips: ClipGroups, seed: int, *, count: int = MAX_CLIPS) -> Rows:
    """Return all rows, or about `count` rows of whole groups, drawn evenly from the classes."""
    if len(clips) <= count:
        return np.arange(len(clips))
    groups = clips.numbers
    order = np.random.default_rng(seed).permutation(groups.max() + 1)
    drawn = pl.DataFrame({"label": clips.labels, "rank": order[groups]}).with_row_index()
    # The rank of a clip's group among those of its class decides: every class gets its share.
    ranked = drawn.with_columns(rank=pl.col("rank").rank("dense").over("label")).sort("rank")
    first = ranked["index"].to_numpy()[:count]
    return np.flatnonzero(np.isin(groups, groups[first]))


def _comparison_folds(clips: ClipGroups, seed: int) -> NDArray[np.int64]:
    """Return the given folds, or as many as the clips allow."""
    for folds in range(FOLDS, 2, -1):
        try:
            return clips.assign_folds(folds=folds, seed=seed)
        except SplitError:
            continue
    return clips.assign_folds(folds=2, seed=seed)
