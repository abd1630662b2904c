"""Show why a split must keep groups whole: colour histograms "recognise" actions on a leaky one.

    python examples/leaky_split.py ../shared/data/ucf11_9class/groups.csv

Clips cut from one recording show the same place in the same light.  A very simple classifier, the
nearest neighbour by colour, is scored twice on the same clips: on folds drawn clip by clip, and on
folds that never share a group.  The source needs groups: a `group` column, or names
like `v_Diving_g01_c03.avi`.  A `fold` column is used if present.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from vidclass import Clip, Manifest, decode_clip, fold_assignments
from vidclass.config import GeometryConfig, SamplingConfig
from vidclass.errors import VideoError

BINS = 8
FOLDS = 5
STDERR = Console(stderr=True)


def main() -> None:
    """Print both accuracies, and that of always predicting the largest class."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="labelled clips with groups")
    parser.add_argument("--root", type=Path, help="folder of the clips, if not that of the table")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    manifest, colours = read_colours(Manifest.from_source(arguments.source, root=arguments.root))
    labels = np.array(manifest.table["label"].to_list())
    drawn = StratifiedKFold(FOLDS, shuffle=True, random_state=arguments.seed)
    by_clip = np.zeros(len(labels), np.int64)
    for fold, (_, inside) in enumerate(drawn.split(labels, labels)):
        by_clip[inside] = fold
    by_group = fold_assignments(manifest, folds=FOLDS, seed=arguments.seed)
    _, counts = np.unique(labels, return_counts=True)
    table = Table("nearest colour histogram", "accuracy", "95 % interval")
    for name, folds in (("folds drawn clip by clip", by_clip), ("folds of whole groups", by_group)):
        table.add_row(name, *accuracy_with_interval(nearest_is_correct(colours, labels, folds)))
    table.add_row("(always the largest class)", f"{counts.max() / len(labels):.1%}", "")
    Console().print(table)


def read_colours(manifest: Manifest) -> tuple[Manifest, NDArray[np.float64]]:
    """Return the readable clips, and the colour histogram of each: (N, BINS**3)."""
    rows, colours = [], []
    clips = track(manifest.clips(), "reading clips", console=STDERR, transient=True)
    for row, clip in enumerate(clips):
        try:
            colours.append(colour_histogram(clip))
            rows.append(row)
        except VideoError as error:
            STDERR.print(f"skipped: {error}", markup=False, soft_wrap=True)
    return Manifest(manifest.table[rows]), np.array(colours)


def colour_histogram(clip: Clip) -> NDArray[np.float64]:
    """Return the square root of the colour histogram of eight frames: (BINS**3,)."""
    frames = decode_clip(
        clip.video,
        span=clip.span,
        sampling=SamplingConfig(frames=8),
        geometry=GeometryConfig(crop="whole", size=64),
    ).frames
    coarse = frames.reshape(-1, 3).astype(np.int64) * BINS // 256
    counts = np.bincount(coarse @ [BINS * BINS, BINS, 1], minlength=BINS**3)
    # The Hellinger distance, between square roots, is not dominated by the few largest bins.
    return np.sqrt(counts / counts.sum())


def nearest_is_correct(
    colours: NDArray[np.float64], labels: NDArray[np.str_], folds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether each clip has the label of its nearest neighbour in the other folds: (N,)."""
    correct = np.zeros(len(labels), np.bool_)
    for fold in np.unique(folds):
        inside = folds == fold
        nearest = KNeighborsClassifier(1).fit(colours[~inside], labels[~inside])
        correct[inside] = nearest.predict(colours[inside]) == labels[inside]
    return correct


def accuracy_with_interval(correct: NDArray[np.bool_]) -> tuple[str, str]:
    """Return the accuracy and its Wilson interval as text."""
    interval = binomtest(int(correct.sum()), len(correct)).proportion_ci(method="wilson")
    return f"{correct.mean():.1%}", f"{interval.low:.1%} to {interval.high:.1%}"


if __name__ == "__main__":
    main()
