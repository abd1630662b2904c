"""`vidclass data split`: train, validation and test, or folds, as a CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidclass.cli.options import AllowLeak, GroupPattern, Groups, Json, Seed, Store
from vidclass.cli.source_options import Source

if TYPE_CHECKING:
    from vidclass.data.manifest import Manifest
    from vidclass.data.split_summary import SplitCount

_SHARE = 0.2


def split_command(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.", show_default=False)],
    test: Annotated[
        float | None, typer.Option(min=0, max=0.9, help="Share of clips for test.  [default: 0.2]")
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Share of the rest for validation.  [default: 0.2]"),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Fill a `fold` column with so many folds instead.")
    ] = None,
    groups: Groups = "auto",
    group_pattern: GroupPattern = None,
    seed: Seed = 0,
    store: Store = None,
    allow_leak: AllowLeak = False,
    json_file: Json = None,
) -> None:
    """Divide clips without sharing a group, as a CSV: train, validation and test, or folds."""
    from vidclass.cli.console import tell_notes, write_json
    from vidclass.config import SplitConfig
    from vidclass.data.split_summary import split_summary
    from vidclass.data.splits import split_clips, with_folds
    from vidclass.features.grouping import regrouped

    if folds is not None:
        _refuse_idle(test=test, validation=validation, allow_leak=allow_leak or None)
    config = SplitConfig.checked(groups=groups, group_pattern=group_pattern, allow_leak=allow_leak)
    manifest = source.manifest(groups=groups, group_pattern=group_pattern, allow_leak=allow_leak)
    manifest = regrouped(manifest, config)
    if groups == "near-duplicates":
        manifest = _with_near_duplicates(manifest, out, store)
    if folds is None:
        manifest = split_clips(
            manifest,
            test_fraction=_SHARE if test is None else test,
            validation_fraction=_SHARE if validation is None else validation,
            seed=seed,
            allow_leak=allow_leak,
        )
    else:
        manifest = with_folds(manifest, folds=folds, seed=seed)
    manifest.write_csv(out)
    tell_notes(manifest.notes)
    column = "split" if folds is None else "fold"
    counts = split_summary(manifest, column)
    if json_file is not None:
        write_json(json_file, _as_json(manifest, out, column, counts))
    if json_file != "-":
        _show(manifest, column, counts)


def _refuse_idle(**options: object) -> None:
    from vidclass.errors import ConfigError

    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"--{name.replace('_', '-')} has no use with --folds.")


def _with_near_duplicates(manifest: Manifest, out: Path, store: Path | None) -> Manifest:
    """Features of the default settings tell which clips are nearly the same."""
    from vidclass.cli.console import closing_line, ledger_beside, progress_bars
    from vidclass.features.extract import extract
    from vidclass.features.extractor import feature_extractor
    from vidclass.features.grouping import join_near_duplicates
    from vidclass.training.presets import run_config

    with progress_bars() as progress:
        extractor = feature_extractor(run_config().features, manifest, progress=progress)
        extraction = extract(manifest, extractor, store_folder=store, progress=progress)
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
