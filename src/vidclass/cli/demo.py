"""`vidclass demo`: the full pipeline on generated clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo_command(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for everything the demo makes.")
    ] = Path("vidclass-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the clips and of training.")] = 0,
    small: Annotated[
        bool,
        typer.Option("--small", help="Generate half of the clips: quicker, accuracies vary more."),
    ] = False,
) -> None:
    """Run the full pipeline offline on generated clips: features, training, tests, a GIF."""
    from vidclass.cli.console import progress_bars, say
    from vidclass.cli.tables import report_demo
    from vidclass.demo.run import run_demo

    with progress_bars() as progress:
        result = run_demo(out, seed=seed, small=small, say=say, progress=progress)
    report_demo(result)
