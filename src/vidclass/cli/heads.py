"""`vidclass heads`: the models over time, and their size."""

from __future__ import annotations

from typing import Annotated

import typer


def heads_command(
    frames: Annotated[int, typer.Option(min=1, help="T, frames a clip.")] = 20,
    width: Annotated[int, typer.Option(min=1, help="D, numbers a frame.")] = 1280,
    classes: Annotated[int, typer.Option(min=2, help="K, classes.")] = 10,
) -> None:
    """List the models over time, with their size for so many frames, numbers and classes."""
    from rich.table import Table

    from vidclass.cli.console import say, show
    from vidclass.heads.cost import multiplications, parameters
    from vidclass.heads.registry import heads
    from vidclass.training.presets import CANDIDATES

    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("what it is")
    for heading in ("parameters", "multiplications a clip"):
        table.add_column(heading, justify="right")
    table.add_column("causal")
    table.add_column("settings")
    for name, found in heads().items():
        model = found.build(frames, width, classes)
        table.add_row(
            f"{name} *" if name in CANDIDATES else name,
            found.summary,
            f"{parameters(model):,}",
            f"{multiplications(model):,}",
            "yes" if found.causal else "no",
            ", ".join(f"{key}={value}" for key, value in found.settings.items()),
        )
    show(table)
    say("* compared by --head auto, the default")
