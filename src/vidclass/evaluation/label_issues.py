"""Labels that may be wrong, by confident learning (Northcutt et al., 2021).

A simple model judges every clip by what it has learnt from clips of other groups.  How sure it
is, on average, of the given label of a class's clips is that class's threshold.  A clip is
suspect when its given label stays below the threshold of that class while another class reaches
its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from vidclass._core.text import listed, quoted
from vidclass.data.balance import GroupClasses
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments
from vidclass.types import ClipFeatures, Progress

MOST_FOLDS = 5
_COMPONENTS = 64
_SEED = 0


@dataclass(frozen=True)
class Suspect:
    """A clip whose label a model that never saw it contradicts with confidence.

    Attributes:
        row: The clip.
        label: The given class.
        label_probability: What the model gives to it.
        suggested: The class that the model takes it for.
        probability: What the model gives to that.
    """

    row: int
    label: str
    label_probability: float
    suggested: str
    probability: float


@dataclass(frozen=True)
class Judgement:
    """What came of judging labels.

    Attributes:
        suspects: The strongest contradiction first.
        accuracy: How often the model agreed with the given labels of clips that it had not seen;
            None where nothing was judged.
        note: What was not judged, and why, as a sentence; may be empty.
    """

    suspects: tuple[Suspect, ...] = ()
    accuracy: float | None = None
    note: str = ""


def judge_labels(
    manifest: Manifest, features: Sequence[ClipFeatures | None], progress: Progress
) -> Judgement:
    """Find clips whose label a model contradicts that never saw their group.

    Args:
        manifest: The clips.
        features: Those of each; None for a clip that cannot be read.
        progress: Told of the stage `labels`, in folds.
    """
    if manifest.multi_label:
        return Judgement(note="labels were not judged: clips have several classes.")
    rows = np.array([row for row, clip in enumerate(features) if clip is not None], np.int64)
    labels = np.array(manifest.table["label"].to_list(), dtype=object)
    rows, thin = _of_two_units(manifest, rows)
    names = sorted(set(labels[rows]))
    if len(names) < 2:
        return Judgement(
            note="labels were not judged: that takes two classes with readable clips of two "
            "groups each."
        )
    # Folds that are given may be of other needs: groups stay whole in these.
    chosen = Manifest(manifest.table[rows.tolist()].with_columns(fold=pl.lit(None, pl.Int64)))
    fewest = int(_group_classes(chosen).groups_per_class().min())
    folds = fold_assignments(chosen, folds=min(MOST_FOLDS, fewest), seed=_SEED)
    inputs = np.stack([_summary(clip) for row in rows if (clip := features[row]) is not None])
    truth = np.searchsorted(names, labels[rows])
    probabilities = _out_of_fold(inputs, truth, folds, progress)
    suspects = [
        Suspect(int(rows[k]), names[truth[k]], float(own), names[other], float(best))
        for k, other, own, best in contradicted(probabilities, truth)
    ]
    note = f"labels of {listed(quoted(thin))} were not judged: it takes two groups." if thin else ""
    accuracy = float((probabilities.argmax(1) == truth).mean())
    return Judgement(tuple(suspects), accuracy, note)


def contradicted(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> list[tuple[int, int, float, float]]:
    """Clips whose given class stays below its threshold while another class reaches its own.

    Args:
        probabilities: (N,K), of clips that the model had not seen.
        truth: (N,), the given classes; each class is among them.

    Returns:
        Of each such clip its number, the other class, and the probabilities of the given and of
        the other class; the widest gap first.
    """
    count, classes = probabilities.shape
    own = probabilities[np.arange(count), truth]
    thresholds = np.array([own[truth == k].mean() for k in range(classes)])
    sure = np.where(probabilities >= thresholds, probabilities, -1.0)
    sure[np.arange(count), truth] = -1.0
    other = sure.argmax(1)
    best = sure[np.arange(count), other]
    found = np.flatnonzero((best > own) & (own < thresholds[truth]))
    order = found[np.argsort(own[found] - best[found], kind="stable")]
    return [(int(k), int(other[k]), float(own[k]), float(best[k])) for k in order]


def _group_classes(manifest: Manifest) -> GroupClasses:
    labels = manifest.table["label"].to_list()
    return GroupClasses.from_labels(labels, manifest.group_ids.to_list())


def _of_two_units(
    manifest: Manifest, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[str]]:
    """Rows of classes that have clips of two groups, and the other classes."""
    if not len(rows):
        return rows, []
    chosen = Manifest(manifest.table[rows.tolist()])
    groups = _group_classes(chosen)
    counts = zip(groups.labels, groups.groups_per_class(), strict=True)
    thin = [name for name, count in counts if count < 2]
    return rows[~chosen.table["label"].is_in(thin).to_numpy()], thin


def _summary(clip: ClipFeatures) -> NDArray[np.float32]:
    """One vector for a clip: what is seen, and how much it changes; each of length 1."""
    frames = clip.features.astype(np.float32)
    change = np.abs(np.diff(frames, axis=0)).mean(0) if len(frames) > 1 else 0 * frames[0]
    parts = (frames.mean(0), change)
    return np.concatenate([part / max(float(np.linalg.norm(part)), 1e-6) for part in parts])


def _out_of_fold(
    inputs: NDArray[np.float32],
    truth: NDArray[np.int64],
    folds: NDArray[np.int64],
    progress: Progress,
) -> NDArray[np.float64]:
    """Probabilities (N,K) of every clip, by a model that learned from the other folds."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    # Of all clips: no label has a part in it.
    components = min(_COMPONENTS, *inputs.shape)
    inputs = PCA(components, svd_solver="randomized", random_state=_SEED).fit_transform(inputs)
    probabilities = np.zeros((len(truth), int(truth.max()) + 1))
    numbers = np.unique(folds)
    for done, fold in enumerate(numbers, 1):
        inside = folds == fold
        model = LogisticRegression(max_iter=300, class_weight="balanced")
        # For so small matrices threads cost far more than they bring: on a busy machine seconds
        # become a minute.
        with threadpool_limits(1), warnings.catch_warnings():
            # Nearly converged is good enough to ask a person to look.
            warnings.simplefilter("ignore", category=UserWarning)
            model.fit(inputs[~inside], truth[~inside])
        # A class may be absent from the other folds where classes share groups.
        probabilities[np.ix_(inside, model.classes_)] = model.predict_proba(inputs[inside])
        progress("labels", done, len(numbers))
    return probabilities
