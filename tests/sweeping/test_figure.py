from __future__ import annotations

from pathlib import Path

from PIL import Image

from made_rows import row
from vidclass.evaluation.figures import save_figure
from vidclass.sweeping.figure import cost_figure
from vidclass.sweeping.result import ranked

ROWS = ranked(
    [
        row(0, 0.6, 20),
        row(1, 0.7, 21, head="gru(units=$3)"),
        row(2, 0.8, 60, frames=32, head="temporal", backbone="efficientnet_lite1"),
        row(3, 0.75, 80, frames=32),
        row(4, 0.3, 10, state="pruned"),
        row(5, 0, 0, state="failed"),
    ]
)


def test_complete_rows_are_drawn_with_intervals_and_a_joined_front(tmp_path: Path) -> None:
    figure = cost_figure(ROWS)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    bars = axes.containers
    drawn = {(bar.lines[0].get_xdata()[0], round(bar.lines[0].get_ydata()[0], 6)) for bar in bars}
    assert drawn == {(20, 60.0), (21, 70.0), (60, 80.0), (80, 75.0)}
    (segment,) = bars[0].lines[2][0].get_segments()  # the interval of the best row
    assert [round(y, 6) for y in segment[:, 1]] == [70.0, 88.0]
    front = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert list(front.get_xdata()) == [20, 21, 60]
    names = [text.get_text() for text in axes.texts]
    assert [name.split(":")[0] for name in names] == ["#0", "#1", "#2"]
    save_figure(figure, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert image.size == (1020, 624)


def test_one_row_alone_can_be_drawn(tmp_path: Path) -> None:
    save_figure(cost_figure(ranked([row(0, 0.6, 20)])), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0


def test_names_do_not_overlap() -> None:
    close = [row(number, 0.6 + number / 1000, 20 + 3 * number) for number in range(3)]
    figure = cost_figure(ranked(close))
    (axes,) = figure.axes
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    for index, box in enumerate(boxes):
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
