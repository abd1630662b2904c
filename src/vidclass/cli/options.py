"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunOrBundle = Annotated[
    Path, typer.Argument(help="A run folder, or a bundle (.vidclass).", show_default=False)
]
Store = Annotated[
    Path | None, typer.Option(help="Folder of stored features.  [default: in the user's cache]")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first video that cannot be read.")
]
RetryFailed = Annotated[
    bool,
    typer.Option("--retry-failed", help="Try clips again that could not be read before."),
]
AllowLeak = Annotated[
    bool,
    typer.Option(
        "--allow-leak", help="Let groups be on both sides of a split. Accuracy then means little."
    ),
]
Groups = Annotated[
    str,
    typer.Option(
        help="Clips to keep together: auto (the `group` column, else `_gNN_` in the names), parent "
        "(the folder of the video), near-duplicates (auto, and clips that are nearly the same), "
        "none (each video alone)."
    ),
]
GroupPattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Take groups from the paths: what the parentheses hold, as in '(p\\d+)_'.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting of training, as often as wanted: ema=0.99, loss=focal, "
        "augment.mixup=0.2 (see docs/how-to/training.md).",
    ),
]
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is standard output.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of splits and training.")]

RecipeName = Annotated[
    str,
    typer.Option(
        "--preset",
        "--recipe",
        help="Whole settings by name: default, accurate (two networks, about six times the work), "
        "keras-example.",
    ),
]
Flip = Annotated[
    bool,
    typer.Option("--flip", help="Learn from mirror images too, and answer with the mean of both."),
]
SwapLabels = Annotated[
    list[str] | None,
    typer.Option(
        "--swap-labels",
        metavar="A=B",
        help="Two labels that a mirror image exchanges, such as left=right; may be repeated.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(help="Backbone weights: pretrained, random, or a Keras weights file."),
]
HeadName = Annotated[
    str | None,
    typer.Option(
        "--head",
        help="Model over time (see `vidclass heads`); auto compares several on the training clips, "
        "'auto(mean, gru)' those named.  [default: auto]",
    ),
]


def chosen(**options: object) -> dict[str, object]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}
