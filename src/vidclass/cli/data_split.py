"""`vidclass data split`: train, validation and test, or folds, as a CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidclass.cli.options import (
    AllowLeak,
    GroupingOptions,
    Json,
    Seed,
    SourceOptions,
    StoreFolder,
)

if TYPE_CHECKING:
    from vidclass.data.manifest import Manifest
    from vidclass.data.split_summary import SplitCount

_SHARE = 0.2


def split_command(
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.", show_default=False)],
    *,
    test_fraction: Annotated[
        float | None,
        typer.Option("--test", min=0, max=0.9, help="Share of clips for test.  [default: 0.2]"),
    ] = None,
    validation_fraction: Annotated[
        float | None,
        typer.Option(
            "--validation", min=0, max=0.9, help="Share of the rest for validation.  [default: 0.2]"
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Write a `fold` column with this many folds instead.")
    ] = None,
    grouping: GroupingOptions,
    seed: Seed = 0,
    store_folder: StoreFolder = None,
    allow_leak: AllowLeak = False,
    json_file: Json = None,
    source: SourceOptions,
) -> None:
    """Split clips into train, validation and test, or folds, that share no group; writes a CSV."""
    from vidclass.cli.console import print_notes, write_json
    from vidclass.config import SplitConfig
    from vidclass.data.split_summary import split_summary
    from vidclass.data.splits import split_clips, with_folds
    from vidclass.features.near_duplicates import assign_groups

    if folds is not None:
        _require_unset(
            test_fraction=test_fraction,
            validation_fraction=validation_fraction,
            allow_leak=allow_leak or None,
        )
    config = SplitConfig.checked(**grouping.keywords(), allow_leak=allow_leak)
    manifest = source.manifest(**grouping.keywords(), allow_leak=allow_leak)
    manifest = assign_groups(manifest, config)
    if grouping.groups == "near-duplicates":
        manifest = _with_near_duplicates(manifest, out, store_folder)
    if folds is None:
        manifest = split_clips(
            manifest,
            test_fraction=_SHARE if test_fraction is None else test_fraction,
            validation_fraction=_SHARE if validation_fraction is None else validation_fraction,
            seed=seed,
            allow_leak=allow_leak,
        )
    else:
        manifest = with_folds(manifest, folds=folds, seed=seed)
    manifest.write_csv(out)
    print_notes(manifest.notes)
    column = "split" if folds is None else "fold"
    counts = split_summary(manifest, column)
    if json_file is not None:
        write_json(json_file, _as_json(manifest, out, column, counts))
    if json_file != "-":
        _show(manifest, column, counts)


def _require_unset(**options: object) -> None:
    """Raise ConfigError if an option that has no use with `folds` is set."""
    from vidclass.errors import ConfigError

    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"`{name}` has no use with `folds`.")


def _with_near_duplicates(manifest: Manifest, out: Path, store_folder: Path | None) -> Manifest:
    """Put near duplicates, by features of the default preset, into one group."""
    from vidclass.cli.console import closing_line, ledger_beside, progress_bars
    from vidclass.features.extract import extract
    from vidclass.features.extractor import feature_extractor
    from vidclass.features.near_duplicates import join_near_duplicates
    from vidclass.training.presets import run_config

    with progress_bars() as progress:
        extractor = feature_extractor(run_config().features, manifest, progress=progress)
        extraction = extract(manifest, extractor, store_folder=store_folder, progress=progress)
    failures = extraction.failures
    closing_line(extraction.ok, failures, ledger_beside(out))
    return join_near_duplicates(manifest, extraction.clips)


def _as_json(
    manifest: Manifest, out: Path, column: str, counts: dict[str, dict[str, SplitCount]]
) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "schema": 1,
        "out": str(out),
        "column": column,
        "parts": {part: asdict(held[""]) for part, held in counts.items()},
        "classes": {
            label: {part: asdict(held[label]) for part, held in counts.items()}
            for label in manifest.labels
        },
        "notes": list(manifest.notes),
    }


def _show(manifest: Manifest, column: str, counts: dict[str, dict[str, SplitCount]]) -> None:
    from rich.table import Table

    from vidclass.cli.console import show

    table = Table("class", title="clips (groups)", title_justify="left")
    for part in counts:
        table.add_column(part if column == "split" else f"fold {part}", justify="right")
    for label in (*manifest.labels, ""):
        cells = [f"{held[label].clips} ({held[label].groups})" for held in counts.values()]
        table.add_row(label or "all", *cells, end_section=label == manifest.labels[-1])
    show(table)
