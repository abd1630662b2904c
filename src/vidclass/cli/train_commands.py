"""Commands that learn: extract, train, crossval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidclass.cli.feature_options import FeatureOptions
from vidclass.cli.option_groups import takes_groups
from vidclass.cli.options import (
    AllowLeak,
    Flip,
    GroupPattern,
    Groups,
    HeadName,
    Json,
    RecipeName,
    RetryFailed,
    Seed,
    Settings,
    Store,
    Strict,
    SwapLabels,
    chosen,
)
from vidclass.cli.source_options import Source, takes_source
from vidclass.cli.task_options import TaskOptions


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train")(takes_source(takes_groups(train_command)))
    app.command("crossval")(takes_source(takes_groups(crossval_command)))
    app.command("extract")(takes_source(takes_groups(extract_command)))


def train_command(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="Folder for the run.", show_default=False)],
    *,
    recipe: RecipeName = "default",
    features: FeatureOptions,
    head: HeadName = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs to train.")] = None,
    settings: Settings = None,
    validation_tail: Annotated[
        float | None,
        typer.Option(help="Validate on the last part of the training rows, as the example does."),
    ] = None,
    flip: Flip = False,
    swap_labels: SwapLabels = None,
    task: TaskOptions,
    groups: Groups = "auto",
    group_pattern: GroupPattern = None,
    seed: Seed = 0,
    store: Store = None,
    allow_leak: AllowLeak = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a finished run.")] = False,
    strict: Strict = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Train a classifier on labelled videos and write a run folder with its bundle."""
    from vidclass.cli.console import progress_bars, stopping
    from vidclass.cli.tables import report_run
    from vidclass.config import parse_swap_labels
    from vidclass.training.presets import run_config
    from vidclass.training.run import train
    from vidclass.training.run_folder import LEDGER
    from vidclass.training.settings import parse_settings

    config = run_config(
        recipe,
        head=head,
        features=features.chosen(),
        training={"seed": seed, **chosen(epochs=epochs), **parse_settings(settings or [])},
        split={
            "allow_leak": allow_leak,
            "groups": groups,
            **chosen(validation_tail=validation_tail, group_pattern=group_pattern),
        },
        flip=flip,
        swap_labels=parse_swap_labels(swap_labels or ()),
        task=task.chosen(source),
    )
    manifest = source.manifest(groups=groups, group_pattern=group_pattern, allow_leak=allow_leak)
    with stopping(out / LEDGER), progress_bars() as progress:
        result = train(
            manifest,
            out,
            config,
            store_folder=store,
            overwrite=overwrite,
            progress=progress,
            strict=strict,
            retry_failed=retry_failed,
        )
    report_run(result)


def crossval_command(
    source: Source,
    *,
    folds: Annotated[
        int, typer.Option(min=2, help="Folds, where the source has no `fold` column.")
    ] = 5,
    recipe: RecipeName = "default",
    features: FeatureOptions,
    head: HeadName = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs to train.")] = None,
    flip: Flip = False,
    swap_labels: SwapLabels = None,
    task: TaskOptions,
    settings: Settings = None,
    groups: Groups = "auto",
    group_pattern: GroupPattern = None,
    seed: Seed = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help="Do it with so many seeds, from --seed on, and compare.")
    ] = 1,
    store: Store = None,
    json_file: Json = None,
    strict: Strict = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Measure a recipe by cross-validation over folds that share no group."""
    from vidclass.cli.console import ledger_beside, progress_bars, stopping, write_json
    from vidclass.cli.seeds_tables import report_seeds
    from vidclass.cli.tables import report_crossval
    from vidclass.config import parse_swap_labels
    from vidclass.training.presets import run_config
    from vidclass.training.seeds import cross_validate_seeds
    from vidclass.training.settings import parse_settings

    config = run_config(
        recipe,
        head=head,
        features=features.chosen(),
        training={"seed": seed, **chosen(epochs=epochs), **parse_settings(settings or [])},
        split={"groups": groups, **chosen(group_pattern=group_pattern)},
        flip=flip,
        swap_labels=parse_swap_labels(swap_labels or ()),
        task=task.chosen(source),
    )
    ledger = ledger_beside(json_file)
    manifest = source.manifest(groups=groups, group_pattern=group_pattern)
    with stopping(ledger), progress_bars() as progress:
        result = cross_validate_seeds(
            manifest,
            config,
            seeds=seeds,
            folds=folds,
            store_folder=store,
            progress=progress,
            strict=strict,
            retry_failed=retry_failed,
        )
    one = result.runs[0] if seeds == 1 else None
    if json_file is not None:
        write_json(json_file, (one or result).to_json())
    if one is None:
        report_seeds(result, ledger=ledger, quiet=json_file == "-")
    else:
        report_crossval(one, ledger=ledger, quiet=json_file == "-")


def extract_command(
    source: Source,
    *,
    features: FeatureOptions,
    recipe: RecipeName = "default",
    store: Store = None,
    ledger: Annotated[
        Path, typer.Option(help="Where failures are listed, if there are any.")
    ] = Path("ledger.jsonl"),
    strict: Strict = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Make and store the features of every clip; what is stored already is not made again."""
    from vidclass.cli.console import closing_line, progress_bars, say, stopping, tell_notes
    from vidclass.features.extract import extract
    from vidclass.features.extractor import feature_extractor
    from vidclass.training.presets import run_config

    config = run_config(recipe, features=features.chosen()).features
    manifest = source.manifest()
    with stopping(ledger), progress_bars() as progress:
        result = extract(
            manifest,
            feature_extractor(config, manifest, progress=progress),
            store_folder=store,
            progress=progress,
            strict=strict,
            retry_failed=retry_failed,
        )
    tell_notes((*manifest.notes, *result.notes, *result.failure_counts().notes()))
    say(f"{result.ok - result.reused} clips extracted, {result.reused} were stored already")
    closing_line(result.ok, result.failures, ledger)
    if result.failures and not result.ok:
        raise typer.Exit(1)
