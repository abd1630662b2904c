"""The run folder: the names of its files in one place, and a writer of all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass._core.files import replacing, write_text
from vidclass.config import RunConfig
from vidclass.errors import RunError
from vidclass.ledger import write_ledger
from vidclass.types import Failure
from vidclass.version import __version__

# Naming a clip needs no table: `find_bundle` must not load what only training needs.
if TYPE_CHECKING:
    import polars as pl

    from vidclass.features.extract import Extraction
    from vidclass.tasks.metrics import Metrics
    from vidclass.training.head_selection import HeadChoice

CONFIG = "config.json"
SPLIT = "split.csv"
HISTORY = "history.csv"
HISTORY_FIGURE = "history.png"
HEAD_WEIGHTS = "head.weights.h5"
CHOICES = "heads.json"
BUNDLE = "model.vidclass"
METRICS = "metrics.json"
LEDGER = "ledger.jsonl"
# Of a fine-tuned run: its source, clips and settings (an interrupted run is resumed only with the
# same ones), the checkpoint, the trained weights, and the splits of the runs it came from.
FINETUNE = "finetune.json"
FINETUNE_CHECKPOINT = "finetune.checkpoint.npz"
BACKBONE_WEIGHTS = "backbone.weights.h5"
EARLIER_SPLITS = "earlier-splits.csv"
FINETUNE_FILES = (FINETUNE, FINETUNE_CHECKPOINT, BACKBONE_WEIGHTS, EARLIER_SPLITS)
# Written last: a folder without it is not a finished run.
COMPLETE = "run.json"

# Files that only some runs have, and the names that `numbered` gives them for further heads.
_OPTIONAL = (HISTORY, HISTORY_FIGURE, HEAD_WEIGHTS, CHOICES, *FINETUNE_FILES)
_FURTHER = re.compile(r"^([^.]+)-(?:[2-9]|[1-9][0-9]+)\.")


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        folder: The run folder.
        bundle: The file of the trained classifier.
        sizes: Number of readable clips by split.
        metrics: By split: `validation` (before the refit), `test`; a split without clips is left
            out.
        best_epoch: Epoch whose weights were kept, of the first head; None for a head solved as a
            logistic regression.
        choices: The chosen heads of each view.
        extraction: The features, with the ledger.
        notes: Sentences for the user.
    """

    folder: Path
    bundle: Path
    sizes: dict[str, int]
    metrics: dict[str, Metrics]
    best_epoch: int | None
    choices: list[HeadChoice]
    extraction: Extraction
    notes: tuple[str, ...]


class RunWriter:
    """Writer of the files of one run.

    Args:
        folder: The run folder; `begin` makes it.
        config: Configuration of the run.
    """

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder = folder
        self.config = config
        self._written: set[str] = set()

    @property
    def bundle(self) -> Path:
        """Path of the bundle."""
        return self.folder / BUNDLE

    def path(self, name: str, index: int = 0) -> Path:
        """Return the path of a file that this run writes, for head number `index`."""
        name = numbered(name, index)
        self._written.add(name)
        return self.folder / name

    def require_free(self, *, overwrite: bool) -> None:
        """Refuse a folder in which files would be lost.

        An unfinished run is continued: its features are in the store, and training a head on them
        gives the same numbers again.

        Raises:
            RunError: It holds a finished run, an unfinished one of another configuration, or files
                that are not a run's.
        """
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} is a file: name a folder for the run")
        if not folder.is_dir() or not any(folder.iterdir()):
            return
        if not (folder / CONFIG).exists():
            raise RunError(f"{folder} is not empty and not a run: name a new folder")
        advice = "name a new folder, or pass overwrite=True"
        if (folder / COMPLETE).exists() and not overwrite:
            raise RunError(f"{folder} holds a finished run: {advice}")
        if not overwrite and self._config_on_disk() != self.config:
            raise RunError(f"{folder} holds an unfinished run of another configuration: {advice}")

    def _config_on_disk(self) -> RunConfig | None:
        """Return the configuration in the folder; None if it cannot be read."""
        try:
            text = (self.folder / CONFIG).read_text(encoding="utf-8")
            return RunConfig.model_validate_json(text)
        except ValueError:
            return None

    def begin(self, *, overwrite: bool) -> None:
        """Make the folder, unmark a finished run, and write the whole configuration.

        Everything that can be validated before the work is validated before this.

        Raises:
            RunError: The folder is not free, see `require_free`, or cannot be written.
        """
        self.require_free(overwrite=overwrite)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / COMPLETE).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"cannot write into {self.folder}: {error.strerror}") from error
        write_text(self.path(CONFIG), self.config.model_dump_json(indent=1) + "\n")

    def write_ledger(self, failures: Sequence[Failure]) -> None:
        """Write the clips that could not be read; without any, remove the ledger."""
        write_ledger(self.path(LEDGER), failures)

    def write_table(self, name: str, table: pl.DataFrame, index: int = 0) -> None:
        """Write a table as CSV, in one step."""
        with replacing(self.path(name, index)) as temp:
            table.write_csv(temp)

    def write_json(self, name: str, content: Any) -> None:
        """Write a value as JSON, in one step."""
        write_text(self.path(name), json.dumps(content, indent=1) + "\n")

    def write_history(
        self, history: Sequence[dict[str, float]], best_epoch: int | None, *, index: int = 0
    ) -> None:
        """Write the epochs of a head as a table and as a figure.

        A head without a best epoch was solved as a logistic regression: it has one row and no
        figure.
        """
        import polars as pl

        self.write_table(HISTORY, pl.DataFrame(list(history)), index)
        if best_epoch is None:
            return
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 3.2), layout="constrained")
        epochs = [row["epoch"] for row in history]
        for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                if key in history[0]:
                    axes.plot(epochs, [row[key] for row in history], label=label)
            axes.axvline(best_epoch, color="0.6", linestyle=":", label=f"best epoch ({best_epoch})")
            axes.set(xlabel="epoch", ylabel=name)
            axes.legend()
        with replacing(self.path(HISTORY_FIGURE, index)) as temp:
            figure.savefig(temp, dpi=120)

    def save_head(self, model: Any, *, index: int = 0) -> Path:
        """Save the weights of a head; returns their file."""
        path = self.path(HEAD_WEIGHTS, index)
        model.save_weights(path)
        return path

    def write_choices(self, choices: Sequence[HeadChoice]) -> None:
        """Write the heads of each view, the reason for them, and a row for each compared head."""
        views = [
            {
                "heads": list(choice.heads),
                "why": choice.why,
                "compared": [asdict(row) for row in choice.compared],
            }
            for choice in choices
        ]
        self.write_json(CHOICES, {"schema": 1, "views": views})

    def remove_former(self) -> None:
        """Remove files of a former run that this one has not written.

        This comes after the bundle has been replaced, which may have needed such files.  Files of
        other names stay, and so do weights that the configuration names.
        """
        in_use = {Path(view.weights).resolve() for view in self.config.views}
        for path in sorted(self.folder.iterdir()):
            optional = _FURTHER.sub(r"\1.", path.name) in _OPTIONAL and path.is_file()
            if optional and path.name not in self._written and path.resolve() not in in_use:
                path.unlink()

    def finish(self, result: RunResult, *, seconds: float, **facts: Any) -> None:
        """Write the metrics, and then the file that marks the run as finished.

        Args:
            result: The run.
            seconds: Its duration.
            facts: Further entries of that file.
        """
        self.write_json(
            METRICS, {name: metrics.to_json() for name, metrics in result.metrics.items()}
        )
        self.write_json(
            COMPLETE,
            {
                "schema": 1,
                "vidclass": __version__,
                "best_epoch": result.best_epoch,
                "heads": [choice.name for choice in result.choices],
                "clips": result.sizes,
                "failed": len(result.extraction.failures),
                "failed_by_class": result.extraction.failure_counts().by_class,
                "reused_features": result.extraction.reused,
                "seconds": round(seconds, 2),
                "notes": result.notes,
                **facts,
            },
        )


def numbered(name: str, index: int) -> str:
    """Return the file name for one of several heads; the first has the plain name.

    >>> numbered("history.csv", 0), numbered("history.csv", 1)
    ('history.csv', 'history-2.csv')
    """
    stem, dot, suffix = name.partition(".")
    return f"{stem}-{index + 1}{dot}{suffix}" if index else name


def find_bundle(run_or_bundle: Path) -> Path:
    """Return the bundle of a run folder, or the path itself if it is not a folder.

    Raises:
        RunError: The folder is not a finished run.
    """
    if not run_or_bundle.is_dir():
        return run_or_bundle
    if not (run_or_bundle / COMPLETE).exists():
        raise RunError(
            f"{run_or_bundle} is not a finished run: train it again with the same command, which "
            "continues where it was"
        )
    return run_or_bundle / BUNDLE
