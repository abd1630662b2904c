"""Figures of results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vidclass._core.files import replacing
from vidclass.tasks.metrics import Metrics


def confusion_figure(metrics: Metrics) -> Figure:
    """Draw the confusion matrix: rows are true classes, colours their shares."""
    counts = np.array(metrics.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(4.0, 0.45 * len(counts) + 2)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(counts))
    # A label with dollar signs is no formula.
    axes.set_xticks(
        ticks, metrics.labels, parse_math=False, rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(ticks, metrics.labels, parse_math=False)
    axes.set(xlabel="predicted", ylabel="true")
    if len(counts) <= 30:  # beyond that no number can be read
        for row, column in np.argwhere(counts > 0):
            ink = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, counts[row, column], ha="center", va="center", color=ink)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in one step, in the format of its ending."""
    with replacing(path) as temp:
        figure.savefig(temp, dpi=120)
