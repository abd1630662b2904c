"""Options of the label task: several labels a clip, none, levels (docs/how-to/labels.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from vidclass.cli.option_groups import OptionGroup
from vidclass.cli.source_options import Source
from vidclass.errors import ConfigError

UseUnknown = Annotated[
    bool,
    typer.Option(
        "--unknown", help="Give no label below the probability that `train --unknown` found."
    ),
]


@dataclass(frozen=True)
class TaskOptions(OptionGroup):
    """What labels mean, where the clips alone do not say it."""

    none_label: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="The label of clips that are of none of the classes: what every class is "
            "absent from.",
        ),
    ] = None
    hierarchy: Annotated[
        bool,
        typer.Option("--hierarchy", help="Labels have levels, as in sport/basketball."),
    ] = False
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help="Find the probability below which an answer is `unknown`: 95 % of the right "
            "answers on the validation clips stay above it.",
        ),
    ] = False
    unknown_precision: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Find it so that this share of the answers above it is right instead, as in 0.95.",
        ),
    ] = None

    def chosen(self, source: Source) -> dict[str, Any]:
        """The fields of TaskConfig that the command line sets.

        `--multi-label` says so even if no clip of the source has several labels.

        Raises:
            ConfigError: it is given with `--hierarchy`.
        """
        if self.hierarchy and source.options.get("multi_label"):
            raise ConfigError("--hierarchy and --multi-label exclude one another: take one of them")
        chosen: dict[str, Any] = {}
        if self.none_label is not None:
            chosen["none_label"] = self.none_label
        if source.options.get("multi_label"):
            chosen["kind"] = "multi-label"
        if self.hierarchy:
            chosen["kind"] = "hierarchy"
        if self.unknown or self.unknown_precision is not None:
            chosen |= {"unknown": True, "unknown_precision": self.unknown_precision}
        return chosen
