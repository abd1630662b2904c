"""Options that say what labels mean: several a clip, none of them, levels (docs/labels.md)."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vidclass.cli.source_options import Source
from vidclass.errors import ConfigError

NoneLabel = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL",
        help="The label of clips that are of none of the classes: what every class is absent from.",
    ),
]
Hierarchy = Annotated[
    bool,
    typer.Option("--hierarchy", help="Labels have levels, as in sport/basketball."),
]
Unknown = Annotated[
    bool,
    typer.Option(
        "--unknown",
        help="Find the probability below which an answer is `unknown`: 95 % of the right answers "
        "on the validation clips stay above it.",
    ),
]
UnknownPrecision = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Find it so that this share of the answers above it is right instead, as in 0.95.",
    ),
]
UseUnknown = Annotated[
    bool,
    typer.Option(
        "--unknown", help="Give no label below the probability that `train --unknown` found."
    ),
]


def task_chosen(
    source: Source,
    *,
    none_label: str | None,
    hierarchy: bool,
    unknown: bool,
    unknown_precision: float | None,
) -> dict[str, Any]:
    """The fields of TaskConfig that the command line sets.

    `--multi-label` says so even if no clip of the source has several labels.

    Raises:
        ConfigError: it is given with `--hierarchy`.
    """
    if hierarchy and source.options.get("multi_label"):
        raise ConfigError("--hierarchy and --multi-label exclude one another: take one of them")
    chosen: dict[str, Any] = {}
    if none_label is not None:
        chosen["none_label"] = none_label
    if source.options.get("multi_label"):
        chosen["kind"] = "multi-label"
    if hierarchy:
        chosen["kind"] = "hierarchy"
    if unknown or unknown_precision is not None:
        chosen |= {"unknown": True, "unknown_precision": unknown_precision}
    return chosen
