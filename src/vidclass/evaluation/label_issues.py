"""Find labels that may be wrong by confident learning (Northcutt et al., 2021).

A simple model predicts every clip from clips of other groups.  The mean probability of the given
label over the clips of a class is the threshold of that class.  A clip has a label issue if the
probability of its given label is below the threshold of that class while that of another class
reaches its own threshold.
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
class LabelIssue:
    """A clip whose label is confidently contradicted by a model trained on other groups.

    Attributes:
        row: Row of the clip.
        label: The given class.
        label_probability: Predicted probability of the given class.
        suggested: The class that the model predicts instead.
        probability: Predicted probability of that class.
    """

    row: int
    label: str
    label_probability: float
    suggested: str
    probability: float


@dataclass(frozen=True)
class LabelCheck:
    """Result of checking labels.

    Attributes:
        issues: Clips whose label may be wrong, the widest gap of probabilities first.
        agreement: Out-of-fold accuracy of the model on the given labels; None if nothing was
            checked.
        note: Which labels were not checked and why, as a sentence; may be empty.
    """

    issues: tuple[LabelIssue, ...] = ()
    agreement: float | None = None
    note: str = ""


def find_label_issues(
    manifest: Manifest, features: Sequence[ClipFeatures | None], progress: Progress
) -> LabelCheck:
    """Return clips whose label a model contradicts that was trained on other groups.

    Args:
        manifest: The clips.
        features: Features of each clip; None if it cannot be read.
        progress: Callback; reports stage `labels`, in folds.
    """
    if manifest.multi_label:
        return LabelCheck(note="labels were not checked: clips have several classes.")
    rows = np.array([row for row, clip in enumerate(features) if clip is not None], np.int64)
    labels = np.array(manifest.table["label"].to_list(), dtype=object)
    rows, small = _rows_of_two_groups(manifest, rows)
    names = sorted(set(labels[rows]))
    if len(names) < 2:
        return LabelCheck(
            note="labels were not checked: that takes two classes with readable clips of two "
            "groups each."
        )
    # Given folds may split groups; these must not.
    clips = Manifest(manifest.table[rows.tolist()].with_columns(fold=pl.lit(None, pl.Int64)))
    fewest = int(_group_classes(clips).groups_per_class().min())
    folds = fold_assignments(clips, folds=min(MOST_FOLDS, fewest), seed=_SEED)
    inputs = np.stack([_clip_vector(clip) for row in rows if (clip := features[row]) is not None])
    y_true = np.searchsorted(names, labels[rows])
    probabilities = _out_of_fold(inputs, y_true, folds, progress)
    issues = [
        LabelIssue(int(rows[k]), names[y_true[k]], float(own), names[other], float(best))
        for k, other, own, best in contradicted(probabilities, y_true)
    ]
    agreement = float((probabilities.argmax(1) == y_true).mean())
    note = f"labels of {listed(quoted(small))} were not checked: it takes two groups."
    return LabelCheck(tuple(issues), agreement, note if small else "")


def contradicted(
    probabilities: NDArray[np.float64], y_true: NDArray[np.int64]
) -> list[tuple[int, int, float, float]]:
    """Return clips whose given class is below its threshold while another class reaches its own.

    Args:
        probabilities: Out-of-fold probabilities (N,K).
        y_true: Given classes (N,); every class occurs.

    Returns:
        For each such clip its index, the other class, and the probabilities of the given and of
        the other class; the widest gap first.
    """
    count, classes = probabilities.shape
    own = probabilities[np.arange(count), y_true]
    thresholds = np.array([own[y_true == k].mean() for k in range(classes)])
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    confident[np.arange(count), y_true] = -1.0
    other = confident.argmax(1)
    best = confident[np.arange(count), other]
    indices = np.flatnonzero((best > own) & (own < thresholds[y_true]))
    order = indices[np.argsort(own[indices] - best[indices], kind="stable")]
    return [(int(k), int(other[k]), float(own[k]), float(best[k])) for k in order]


def _group_classes(manifest: Manifest) -> GroupClasses:
    labels = manifest.table["label"].to_list()
    return GroupClasses.from_labels(labels, manifest.group_ids.to_list())


def _rows_of_two_groups(
    manifest: Manifest, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the rows of classes that have clips of two groups, and the other classes."""
    if not len(rows):
        return rows, []
    clips = Manifest(manifest.table[rows.tolist()])
    groups = _group_classes(clips)
    counts = zip(groups.labels, groups.groups_per_class(), strict=True)
    small = [name for name, count in counts if count < 2]
    return rows[~clips.table["label"].is_in(small).to_numpy()], small


def _clip_vector(clip: ClipFeatures) -> NDArray[np.float32]:
    """Return mean and mean absolute change of the frames' features, each of unit length: (2D,)."""
    frames = clip.features.astype(np.float32)
    change = np.abs(np.diff(frames, axis=0)).mean(0) if len(frames) > 1 else 0 * frames[0]
    parts = (frames.mean(0), change)
    return np.concatenate([part / max(float(np.linalg.norm(part)), 1e-6) for part in parts])


def _out_of_fold(
    inputs: NDArray[np.float32],
    y_true: NDArray[np.int64],
    folds: NDArray[np.int64],
    progress: Progress,
) -> NDArray[np.float64]:
    """Return out-of-fold probabilities (N,K) of a logistic regression."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    # Fitted to all clips: it uses no labels.
    components = min(_COMPONENTS, *inputs.shape)
    inputs = PCA(components, svd_solver="randomized", random_state=_SEED).fit_transform(inputs)
    probabilities = np.zeros((len(y_true), int(y_true.max()) + 1))
    numbers = np.unique(folds)
    for done, fold in enumerate(numbers, 1):
        inside = folds == fold
        model = LogisticRegression(max_iter=300, class_weight="balanced")
        # For such small matrices threads cost far more than they save: on a busy machine seconds
        # become a minute.
        with threadpool_limits(1), warnings.catch_warnings():
            # Nearly converged is good enough to ask a person to check.
            warnings.simplefilter("ignore", category=UserWarning)
            model.fit(inputs[~inside], y_true[~inside])
        # A class may be absent from the other folds where classes share groups.
        probabilities[np.ix_(inside, model.classes_)] = model.predict_proba(inputs[inside])
        progress("labels", done, len(numbers))
    return probabilities
