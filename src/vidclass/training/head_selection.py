"""Choose a model over time by comparing several on the training clips alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments
from vidclass.errors import ConfigError, SplitError
from vidclass.heads.registry import heads, parse_head
from vidclass.tasks.base import LabelTask
from vidclass.training.data import AnyExamples, Examples, in_memory
from vidclass.training.head_comparison import Difference, HeldOut, race
from vidclass.training.presets import DEFAULT_HEAD, candidates
from vidclass.types import Progress, no_progress

FOLDS = 4
# Comparing on more clips would take long and tell little more.
MOST_CLIPS = 2000
# What `HeadChoice.why` says where nothing was to be chosen.
ASKED_FOR = "it was asked for"


@dataclass(frozen=True)
class Compared:
    """How one head did.

    Attributes:
        head: Its name; two names with a plus between them are the mean of two heads.
        parameters: How many numbers it learns.
        accuracy: Share of held-out clips that it named rightly, over the folds it took part in.
        loss: Their mean log loss.
        behind: By how much that is above the loss of the best head, on the same clips.
        folds: In how many folds it took part; fewer than all where it was hopeless.
        seconds: What its trainings took.
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
    """The heads to train, and why.

    Attributes:
        heads: One, or two whose probabilities are averaged.
        why: The reason, as a clause.
        compared: A row for each head, the best first; empty where nothing was compared.
    """

    heads: tuple[str, ...]
    why: str
    compared: list[Compared] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The heads in one text."""
        return " + ".join(self.heads)


def choose_head(
    clips: Manifest,
    data: AnyExamples,
    config: RunConfig,
    *,
    task: LabelTask,
    progress: Progress = no_progress,
) -> HeadChoice:
    """The simplest head that is as good as the best, by grouped cross-validation.

    What counts is the log loss of held-out clips: with few clips it tells more than their
    accuracy.  "As good" is within one standard error (Breiman, Friedman, Olshen and Stone 1984),
    here of the difference between two heads on the same clips, groups being what varies;
    "simplest" is the fewest parameters.  The mean of the two best heads is chosen only where it
    is more than a standard error better than the best.

    Args:
        clips: The clips that may be looked at: no test clip must be among them.
        data: Their features, in the same order.
        config: Which heads, and how each is fitted.
        task: Label task.
        progress: Told of the stage `compare`.
    """
    names = candidates(config.head)
    if names is None:
        return HeadChoice((config.head,), ASKED_FOR)
    if len(names) == 1:
        return HeadChoice(names, "no other was named")
    if not task.targets_are_indices:
        return HeadChoice((_fallback(names),), f"{task.kind} heads are not compared")
    rows = _sample(clips, config.training.seed)
    part, sampled = Manifest(clips.table[rows.tolist()]), in_memory(data, rows)
    targets = task.with_labels(part.labels).targets(part.table["label"])
    sampled = replace(sampled, targets=targets)
    try:
        assigned = _folds(part, config.training.seed)
    except SplitError as error:
        return HeadChoice((_fallback(names),), f"the clips allow no comparison ({error})")
    found = race(
        names, part, sampled, config, groups=_groups(part), assigned=assigned, progress=progress
    )
    return choice(found, {name: _parameters(name, sampled, len(part.labels)) for name in names})


def require_head_for(head: str, task: LabelTask) -> None:
    """Refuse heads whose logits of different classes depend on one another for several labels.

    Raises:
        ConfigError: it is such a head, and the task is multi-label; or there is no such head.
    """
    if not task.multi_label:
        return
    names = candidates(head)
    head = head if names is None else _fallback(names)
    if not parse_head(head)[0].independent:
        suitable = sorted(name for name, other in heads().items() if other.independent)
        raise ConfigError(
            f"head={head!r} shares out one probability among all classes, so that no two of them "
            f"could be sure at once: for several labels a clip choose one of {suitable}."
        )


def _fallback(names: Sequence[str]) -> str:
    """The head to take where nothing can be compared."""
    return DEFAULT_HEAD if DEFAULT_HEAD in names else names[0]


def choice(found: Mapping[str, HeldOut], parameters: Mapping[str, int]) -> HeadChoice:
    """The rule of `choose_head`, on what a race gave: pure arithmetic."""
    folds = max(one.folds for one in found.values())
    ranked = sorted(
        (name for name in found if found[name].folds == folds), key=lambda name: found[name].loss
    )
    best, pair = ranked[0], tuple(ranked[:2])
    rows = [_row(name, found[name], found[best], parameters[name]) for name in found]
    together = None
    if len(pair) == 2:
        both = replace(
            found[best], probabilities=np.mean([found[name].probabilities for name in pair], 0)
        )
        size = sum(parameters[name] for name in pair)
        together = replace(_row(" + ".join(pair), both, found[best], size), seconds=0.0)
    whole = [row for row in rows if row.folds == folds]
    shown = sorted([*rows, *([together] if together else [])], key=lambda r: (-r.folds, r.loss))
    if together is not None and -together.behind.mean > max(together.behind.error, 1e-9):
        gain = f"{-together.behind.mean:.3f} ± {together.behind.error:.3f}"
        return HeadChoice(pair, f"their mean has a log loss {gain} below that of {best}", shown)
    as_good = [row for row in whole if row.behind.mean <= row.behind.error]
    chosen = min(as_good, key=lambda row: (row.parameters, row.loss))
    if chosen.head == best:
        why = "it has the lowest log loss, and nothing simpler is within one standard error of it"
    else:
        why = (
            f"its log loss is {chosen.behind.mean:.3f} above that of {best}, within one standard "
            f"error ({chosen.behind.error:.3f}), and it is simpler"
        )
    return HeadChoice((chosen.head,), why, shown)


def _row(name: str, one: HeldOut, best: HeldOut, parameters: int) -> Compared:
    behind = one.behind(best)
    return Compared(name, parameters, one.accuracy, one.loss, behind, one.folds, one.seconds)


def _parameters(name: str, data: Examples, classes: int) -> int:
    from vidclass.heads.cost import parameters
    from vidclass.heads.registry import build_head

    frames, width = data.steps
    return parameters(build_head(name, frames, width, classes))


def _sample(clips: Manifest, seed: int) -> NDArray[np.int64]:
    """All rows, or those of so many whole groups, drawn evenly from the classes."""
    if len(clips) <= MOST_CLIPS:
        return np.arange(len(clips))
    groups = _groups(clips)
    order = np.random.default_rng(seed).permutation(groups.max() + 1)
    drawn = pl.DataFrame({"label": clips.table["label"], "rank": order[groups]}).with_row_index()
    # The place of a clip's group among those of its class decides: every class gets its share.
    placed = drawn.with_columns(place=pl.col("rank").rank("dense").over("label")).sort("place")
    first = placed["index"].to_numpy()[:MOST_CLIPS]
    return np.flatnonzero(np.isin(groups, groups[first]))


def _groups(clips: Manifest) -> NDArray[np.int64]:
    """The group of each clip, as a number from 0."""
    numbers = np.unique(clips.group_ids.to_numpy(), return_inverse=True)[1]
    return np.asarray(numbers, np.int64)


def _folds(clips: Manifest, seed: int) -> NDArray[np.int64]:
    """The source's own folds, or as many as the clips allow."""
    for folds in range(FOLDS, 2, -1):
        try:
            return fold_assignments(clips, folds=folds, seed=seed)
        except SplitError:
            continue
    return fold_assignments(clips, folds=2, seed=seed)
