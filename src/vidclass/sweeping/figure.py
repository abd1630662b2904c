"""Figure of accuracy against cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from vidclass.sweeping.result import Row

# Okabe and Ito's palette, safe for colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX*"
# Candidate offsets of a mark's name in points; the front never passes above left or below right.
_OFFSETS = ((-6, 4), (6, -11), (-6, -11), (-6, 16))


def cost_figure(rows: Sequence[Row]) -> Figure:
    """Plot accuracy with its interval over milliseconds per clip (log scale) of complete rows.

    Colours tell heads apart, markers backbones; Pareto-optimal rows are joined and named.
    """
    complete = [row for row in rows if row.state == "complete"]
    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    axes = figure.subplots()
    heads = _styles([row.point.head for row in complete], _COLOURS)
    backbones = _styles([row.point.backbone for row in complete], _MARKERS)
    for row in complete:
        _draw_row(axes, row, heads[row.point.head], backbones[row.point.backbone])
    front = sorted((row for row in complete if row.pareto), key=lambda row: row.ms_per_clip or 0)
    axes.step(
        [row.ms_per_clip or 0 for row in front],
        [_percent(row.accuracy_mean) for row in front],
        where="post",
        color="0.35",
        linewidth=1.2,
        zorder=2,
    )
    _label_axes(axes, complete)
    _legend(figure, axes, heads, backbones)
    _name_marks(figure, axes, front)
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
    # The interval is over all clips together, so the mean over folds need not be in its middle.
    below, above = max(accuracy - low, 0.0), max(high - accuracy, 0.0)
    bar = axes.errorbar(
        [row.ms_per_clip],
        [accuracy],
        [[below], [above]],
        fmt=marker,
        color=colour,
        elinewidth=1.0,
        markersize=8 if row.pareto else 6,
        markeredgecolor="black" if row.pareto else "white",
        markeredgewidth=0.8,
        zorder=4 if row.pareto else 3,
    )
    for line in bar.lines[2]:
        line.set(alpha=0.35, zorder=1)


def _name_marks(figure: Figure, axes: Any, front: Sequence[Row]) -> None:
    """Name each mark of the front beside it, where the name overlaps no other."""
    halo = [withStroke(linewidth=2.5, foreground="white")]
    figure.draw_without_rendering()  # extents are known only then
    boxes: list[Any] = []
    for row in front:
        name = axes.annotate(
            f"#{row.number}: {row.point.frames} frames, {row.point.side} px",
            (row.ms_per_clip, _percent(row.accuracy_mean)),
            xytext=_OFFSETS[0],
            textcoords="offset points",
            fontsize=8,
            zorder=5,
            path_effects=halo,
        )
        boxes.append(_move_to_free_offset(name, boxes, axes))


def _move_to_free_offset(name: Any, boxes: Sequence[Any], axes: Any) -> Any:
    """Move a name to the first offset that is free, or to the first one; return its extent."""
    for offset in (*_OFFSETS, _OFFSETS[0]):
        name.set(position=offset, horizontalalignment="right" if offset[0] < 0 else "left")
        extent = name.get_window_extent()
        inside = axes.bbox.x0 <= extent.x0 and extent.x1 <= axes.bbox.x1
        if inside and not any(extent.overlaps(box) for box in boxes):
            break
    return extent


def _label_axes(axes: Any, rows: Sequence[Row]) -> None:
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
    costs = [row.ms_per_clip or 1.0 for row in rows]
    axes.set_xlim(min(costs) / 1.9, max(costs) * 1.2)  # margin for the names


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
