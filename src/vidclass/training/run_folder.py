"""The run folder: its file names in one place, and how they are written."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from vidclass._core.files import replacing, write_text
from vidclass.config import RunConfig
from vidclass.errors import RunError

if TYPE_CHECKING:
    from vidclass.training.head_selection import HeadChoice

CONFIG = "config.json"
SPLIT = "split.csv"
HISTORY = "history.csv"
HISTORY_FIGURE = "history.png"
CHECKPOINT = "head.weights.h5"
CHOICES = "heads.json"
BUNDLE = "model.vidclass"
METRICS = "metrics.json"
LEDGER = "ledger.jsonl"
# Of a fine-tuning: what is tuned, on what and how (a killed one goes on with nothing else), how far
# it is, the weights that it made, and the splits of the runs it came from, one after another.
TUNING = "finetune.json"
TUNE_CHECKPOINT = "finetune.checkpoint.npz"
BACKBONE_WEIGHTS = "backbone.weights.h5"
EARLIER = "earlier-splits.csv"
OF_TUNING = (TUNING, TUNE_CHECKPOINT, BACKBONE_WEIGHTS, EARLIER)
# Written last: a folder without it is not a finished run.
COMPLETE = "run.json"

# What only some runs have, and how `numbered` names it for further heads.
_OF_SOME = (HISTORY, HISTORY_FIGURE, CHECKPOINT, CHOICES, *OF_TUNING)
_FURTHER = re.compile(r"^([^.]+)-(?:[2-9]|[1-9][0-9]+)\.")


def prepare_run_folder(folder: Path, config: RunConfig, *, overwrite: bool) -> None:
    """Make the folder, or make sure that writing into it loses nothing.

    An unfinished run is continued: its features are in the store, and fitting a head from them
    gives the same numbers again.

    Raises:
        RunError: it holds a finished run, an unfinished one of another configuration, or files
            that are not a run's.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file: name a folder for the run")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / CONFIG).exists():
            raise RunError(f"{folder} is not empty and not a run: name a new folder")
        if (folder / COMPLETE).exists() and not overwrite:
            raise RunError(f"{folder} holds a finished run: name a new folder, or pass --overwrite")
        if not overwrite and _config_in(folder) != config:
            raise RunError(
                f"{folder} holds an unfinished run of another configuration: name a new folder, or "
                "pass --overwrite"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / COMPLETE).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror}") from error


def _config_in(folder: Path) -> RunConfig | None:
    """The configuration of a run, also of one from before a setting existed; None if unreadable."""
    try:
        return RunConfig.model_validate_json((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError:
        return None


def write_config(folder: Path, config: RunConfig) -> None:
    """Write the whole configuration, defaults included."""
    write_text(folder / CONFIG, config.model_dump_json(indent=1) + "\n")


def numbered(name: str, member: int) -> str:
    """The name of a file of one of several heads: the first has the plain name.

    >>> numbered("history.csv", 0), numbered("history.csv", 1)
    ('history.csv', 'history-2.csv')
    """
    stem, dot, suffix = name.partition(".")
    return f"{stem}-{member + 1}{dot}{suffix}" if member else name


def remove_former(folder: Path, config: RunConfig, *, written: Collection[str]) -> None:
    """Remove what a former run has left in the folder and this one has not written.

    This comes after the bundle has been replaced, which may have needed such files; files of other
    names stay, and so do weights that `config` names.
    """
    in_use = {Path(view.weights).resolve() for view in config.views}
    for path in sorted(folder.iterdir()):
        ours = _FURTHER.sub(r"\1.", path.name) in _OF_SOME and path.is_file()
        if ours and path.name not in written and path.resolve() not in in_use:
            path.unlink()


def write_choices(folder: Path, choices: Sequence[HeadChoice]) -> None:
    """Write how the heads were chosen: for each view a row for each head, and the reason."""
    views = [
        {
            "heads": list(choice.heads),
            "why": choice.why,
            "compared": [asdict(row) for row in choice.compared],
        }
        for choice in choices
    ]
    write_text(folder / CHOICES, json.dumps({"schema": 1, "views": views}, indent=1) + "\n")


def write_history(
    folder: Path, history: Sequence[dict[str, float]], best_epoch: int | None, *, member: int = 0
) -> list[str]:
    """Write the epochs of a head as a table and as a figure; returns their names.

    A head without a best epoch was solved exactly: it has one row, and nothing to draw.
    """
    table, picture = numbered(HISTORY, member), numbered(HISTORY_FIGURE, member)
    with replacing(folder / table) as temp:
        import polars as pl  # loads in a quarter of a second, and naming a clip needs no table

        pl.DataFrame(list(history)).write_csv(temp)
    if best_epoch is None:
        return [table]
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        epochs = [row["epoch"] for row in history]
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history[0]:
                axes.plot(epochs, [row[key] for row in history], label=label)
        axes.axvline(best_epoch, color="0.6", linestyle=":", label=f"best epoch ({best_epoch})")
        axes.set(xlabel="epoch", ylabel=name)
        axes.legend()
    with replacing(folder / picture) as temp:
        figure.savefig(temp, dpi=120)
    return [table, picture]


def find_bundle(run_or_bundle: Path) -> Path:
    """The bundle of a run folder, or the path itself if it is no folder.

    Raises:
        RunError: the folder is not a finished run.
    """
    if not run_or_bundle.is_dir():
        return run_or_bundle
    if not (run_or_bundle / COMPLETE).exists():
        raise RunError(
            f"{run_or_bundle} is not a finished run: train it again with the same command, which "
            "continues where it was"
        )
    return run_or_bundle / BUNDLE
