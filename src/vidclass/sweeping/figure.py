"""Accuracy against cost, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from vidclass.sweeping.result import Row

# Okabe and Ito's colours, which those who cannot tell red from green can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX*"
# Where the name of a mark may be, in points from it: to the left above and to the right below the
# line of the front never is.
_BESIDE = ((-6, 4), (6, -11), (-6, -11), (-6, 16))


def cost_figure(rows: Sequence[Row]) -> Figure:
    """Complete rows: milliseconds a clip, on a log scale, against accuracy with its interval.

    A colour a head, a marker a backbone; the Pareto-optimal rows are joined and named.
    """
    done = [row for row in rows if row.state == "complete"]
    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    axes = figure.subplots()
    heads = _styles([row.point.head for row in done], _COLOURS)
    backbones = _styles([row.point.backbone for row in done], _MARKERS)
    for row in done:
        _draw_row(axes, row, heads[row.point.head], backbones[row.point.backbone])
    front = sorted((row for row in done if row.pareto), key=lambda row: row.ms_per_clip or 0)
    axes.step(
        [row.ms_per_clip or 0 for row in front], [_percent(row.accuracy_mean) for row in front],
        where="post", color="0.35", linewidth=1.2, zorder=2,
    )  # fmt: skip
    _label_axes(axes, done)
    _legend(figure, axes, heads, backbones)
    _name(figure, axes, front)
    return figure


def _percent(share: float | None) -> float:
    return 100 * (share or 0.0)


def _styles(names: Sequence[str], styles: Sequence[str]) -> dict[str, str]:
    return {
        name: styles[index % len(styles)] for index, name in enumerate(dict.fromkeys(sorted(names)))
    }


def _draw_row(axes: Any, row: Row, colour: str, marker: str) -> None:
    accuracy = _percent(row.accuracy_mean)
    low, high = (_percent(share) for share in row.accuracy_interval or (None, None))
    # The interval is that of all clips together; the mean over folds may lie a little aside.
    below, above = max(accuracy - low, 0.0), max(high - accuracy, 0.0)
    bar = axes.errorbar(
        [row.ms_per_clip], [accuracy], [[below], [above]], fmt=marker, color=colour,
        elinewidth=1.0, markersize=8 if row.pareto else 6,
        markeredgecolor="black" if row.pareto else "white", markeredgewidth=0.8,
        zorder=4 if row.pareto else 3,
    )  # fmt: skip
    for line in bar.lines[2]:
        line.set(alpha=0.35, zorder=1)


def _name(figure: Figure, axes: Any, front: Sequence[Row]) -> None:
    """Name each mark beside it, where there is room."""
    halo = [withStroke(linewidth=2.5, foreground="white")]
    figure.draw_without_rendering()  # only then is it known where things lie
    taken: list[Any] = []
    for row in front:
        name = axes.annotate(
            f"#{row.number}: {row.point.frames} frames, {row.point.side} px",
            (row.ms_per_clip, _percent(row.accuracy_mean)),
            xytext=_BESIDE[0], textcoords="offset points", fontsize=8, zorder=5, path_effects=halo,
        )  # fmt: skip
        taken.append(_placed(name, taken, axes))


def _placed(name: Any, taken: Sequence[Any], axes: Any) -> Any:
    """Move a name to the first place that is free, or leave it; returns what it then takes up."""
    for place in (*_BESIDE, _BESIDE[0]):
        name.set(position=place, horizontalalignment="right" if place[0] < 0 else "left")
        box = name.get_window_extent()
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
        if inside and not any(box.overlaps(other) for other in taken):
            break
    return box


def _label_axes(axes: Any, done: Sequence[Row]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(
        xlabel="milliseconds a clip: decoding, backbone and head (log scale)",
        ylabel="accuracy, mean over folds (%)",
    )
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    costs = [row.ms_per_clip or 1.0 for row in done]
    axes.set_xlim(min(costs) / 1.9, max(costs) * 1.2)  # room for the names


def _legend(figure: Figure, axes: Any, heads: dict[str, str], backbones: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=colour, marker="o", linestyle="", label=name)
        for name, colour in heads.items()
    ]
    marks += [
        Line2D([], [], color="0.4", marker=marker, linestyle="", label=name)
        for name, marker in backbones.items()
    ]
    marks.append(Line2D([], [], color="0.35", label="Pareto-optimal"))
    marks.append(Line2D([], [], color="0.6", linewidth=1.0, label="95 % interval"))
    legend = figure.legend(handles=marks, loc="outside right upper", fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
