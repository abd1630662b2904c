"""`vidclass finetune`: the last layers of a run's backbone, trained with its head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.options import (
    ExecutionFlags,
    Overwrite,
    SourceOptions,
    SwapLabels,
    without_none,
)


def finetune_command(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="The folder of a finished run.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the new run.", show_default=False)],
    *,
    unfreeze: Annotated[
        str | None,
        typer.Option(
            metavar="N|SHARE|all",
            help="What is trained: the last N blocks of the backbone, a share of its layers (such "
            "as 0.3), or all.  [default: 4]",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of epochs.  [default: 10]")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1, help="Epochs without a better validation loss before stopping.  [default: 3]"
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Clips per optimizer step.  [default: 16]")
    ] = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(min=1, help="Clips computed at a time: memory follows it.  [default: 4]"),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate of the head.  [default: 0.001]")
    ] = None,
    backbone_rate: Annotated[
        float | None,
        typer.Option(help="Rate of the last block, as a share of the head's.  [default: 0.1]"),
    ] = None,
    layer_decay: Annotated[
        float | None,
        typer.Option(
            help="Rate of a block, as a share of the rate of the one after it.  [default: 0.8]"
        ),
    ] = None,
    jitter: Annotated[
        bool | None, typer.Option("--jitter/--no-jitter", help="Draw other frames in each epoch.")
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Mirror half of the clips in training.")
    ] = False,
    swap_labels: SwapLabels = None,
    remat: Annotated[
        bool,
        typer.Option("--remat", help="Compute activations twice: less memory, more time."),
    ] = False,
    mixed_precision: Annotated[
        str | None,
        typer.Option(
            help="float32, mixed_bfloat16, or auto (mixed on a GPU only).  [default: auto]"
        ),
    ] = None,
    checkpoint_s: Annotated[
        float | None, typer.Option(min=0, help="Seconds between checkpoints.  [default: 60]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of order, frames and new splits.")] = 0,
    overwrite: Overwrite = False,
    execution: ExecutionFlags,
    source: SourceOptions,
) -> None:
    """Train the last layers of a run's backbone with its head; writes a new run folder."""
    from vidclass.cli.console import progress_bars, stopping
    from vidclass.cli.tables import report_run
    from vidclass.config import FinetuneConfig, parse_swap_labels
    from vidclass.finetuning.finetune import finetune
    from vidclass.training.run_folder import LEDGER

    config = FinetuneConfig.checked(
        flip=flip,
        remat=remat,
        seed=seed,
        swap_labels=parse_swap_labels(swap_labels or ()),
        **without_none(
            unfreeze=unfreeze,
            epochs=epochs,
            patience=patience,
            batch_size=batch_size,
            micro_batch=micro_batch,
            learning_rate=learning_rate,
            backbone_rate=backbone_rate,
            layer_decay=layer_decay,
            jitter=jitter,
            mixed_precision=mixed_precision,
            checkpoint_s=checkpoint_s,
        ),
    )
    with stopping(out / LEDGER), progress_bars() as progress:
        result = finetune(
            run,
            source.manifest(),
            out,
            config,
            overwrite=overwrite,
            **execution.keywords(progress),
        )
    report_run(result)
