"""Sweep: cross-validate many combinations of settings and measure what they cost."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass._core.text import counted
from vidclass.backbones.registry import get_backbone
from vidclass.data.checks import require_single_labels
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments
from vidclass.errors import (
    ConfigError,
    DownloadError,
    JobFailedError,
    RuntimeRouteError,
    ShapeError,
    SplitError,
    WeightsError,
)
from vidclass.features.grouping import regrouped
from vidclass.heads.registry import parse_head
from vidclass.ledger import write_ledger
from vidclass.sweeping import record
from vidclass.sweeping.config import Point, SweepConfig, SweepSpace
from vidclass.sweeping.lock import only_one
from vidclass.sweeping.record import ready_command
from vidclass.sweeping.result import Row, SweepResult, ranked
from vidclass.sweeping.search import distributions, next_point
from vidclass.sweeping.study import (
    REASON,
    ROW,
    has_costs,
    keep_costs,
    opened_study,
    quiet,
    require_optuna,
    rows_of,
)
from vidclass.sweeping.trial import Pruned, Runner, this_machine
from vidclass.types import Progress, no_progress

if TYPE_CHECKING:
    import optuna

# What is wrong with one combination; everything else is wrong with all of them.  The last three
# are how Keras and JAX speak of shapes that do not fit and of memory that is not there.
OF_ONE_TRIAL = (
    ConfigError, DownloadError, RuntimeRouteError, ShapeError, WeightsError,
    ValueError, RuntimeError, MemoryError,
)  # fmt: skip


@dataclass
class Trials:
    """Runs trials one after the other.

    Attributes:
        study: Where they are kept.
        runner: What runs one.
        space: The combinations.
        folder: The sweep's.
    """

    study: optuna.Study
    runner: Runner
    space: SweepSpace
    folder: Path

    def run(self) -> None:
        """Run what is left of the trials; whatever ends it, finished ones are kept."""
        config, begun = self.runner.config, time.monotonic()
        sampler = config.sampler_for(len(self.space.points()))
        total = min(config.trials, len(self.space.points()))
        while len(rows := rows_of(self.study)) < config.trials:
            self.runner.progress("trials", len(rows), total)
            if config.timeout_s is not None and time.monotonic() - begun >= config.timeout_s:
                self.runner.notes.append(
                    f"the time was up after {len(rows)} of {total} trials; the same command goes on"
                )
                break
            tried = [row.point for row in rows]
            point = next_point(self.space, self.study, tried, sampler=sampler, seed=config.seed)
            if point is None:
                break
            self._try(point, [row for row in rows if row.state == "complete"])
            record.write_table(self.result())
        self._compare_costs()

    def _compare_costs(self) -> None:
        """Measure all that came to an end side by side: the machine may have been busy before."""
        complete = [row for row in rows_of(self.study) if row.state == "complete"]
        if self.runner.config.remeasure or not has_costs(self.study, complete):
            costs = self.runner.costs_together([row.point for row in complete])
            keep_costs(self.study, this_machine(), costs)

    def _try(self, point: Point, others: list[Row]) -> None:
        states = require_optuna().trial.TrialState
        self.study.enqueue_trial(point.values())
        trial = self.study.ask(distributions(self.space))
        kept: dict[str, Any] = {}

        def keep(**facts: Any) -> None:
            kept.update(facts)
            trial.set_user_attr(ROW, kept)

        try:
            accuracy, ms_per_clip = self.runner.run(point, others, keep)
        except Pruned as reason:
            trial.set_user_attr(REASON, str(reason))
            self.study.tell(trial, state=states.PRUNED)
        except OF_ONE_TRIAL as error:
            trial.set_user_attr(REASON, f"{type(error).__name__}: {error}")
            self.study.tell(trial, state=states.FAIL)
        except BaseException:
            # Without a reason it is no row: it will be tried again.  What ended it may have done so
            # in the midst of writing; then the next call settles it.
            with suppress(Exception):
                self.study.tell(trial, state=states.FAIL)
            raise
        else:
            self.study.tell(trial, (accuracy, ms_per_clip))

    def result(self) -> SweepResult:
        """The rows so far."""
        runner = self.runner
        rows = [
            replace(row, command=ready_command(row, runner.config, self.folder))
            for row in ranked(rows_of(self.study))
        ]
        result = SweepResult(
            self.folder,
            self.space,
            runner.config,
            rows,
            tuple(runner.failures.values()),
            runner.read,
        )
        return replace(result, notes=tuple(dict.fromkeys(self._notes(result))))

    def _notes(self, result: SweepResult) -> list[str]:
        notes = [*self.runner.manifest.notes, *self.runner.notes]
        complete = [row for row in result.rows if row.state == "complete"]
        if self.runner.config.groups == "near-duplicates":
            notes.append(
                "which clips are nearly the same depends on the features: the folds of rows with "
                "other features may be others"
            )
        if len(complete) > 1:
            choosing = result.accuracy_of_choosing
            more = (
                "" if choosing is None
                else f"; chosen on the other folds each time, the best gets {100 * choosing:.1f} %"
            )  # fmt: skip
            notes.append(
                f"the best row was chosen among {len(complete)} on the clips that it is scored on: "
                f"its accuracy is optimistic{more}"
            )
        return notes


def sweep(
    manifest: Manifest,
    out: str | Path,
    space: SweepSpace | None = None,
    config: SweepConfig | None = None,
    *,
    store_folder: Path | None = None,
    progress: Progress = no_progress,
    strict: bool = False,
    retry_failed: bool = False,
) -> SweepResult:
    """Try combinations of settings on the same folds, measure their cost, and leave a table.

    Clips of a given `test` split, and the rest of their groups, are left out.  The same call with
    the same folder continues where the last one was, however it ended.

    Args:
        manifest: The clips.
        out: Folder of the sweep.
        space: What is tried; None for a small space that a laptop can do.
        config: How.
        store_folder: Where features are kept; None for the default folder.
        progress: Told of the stage `trials`, and of those of each trial.
        strict: Raise for the first clip that cannot be read.
        retry_failed: Try clips again that failed before.

    Raises:
        ConfigError: Optuna is not installed, or a backbone or head does not exist.
        RunError: `out` holds something else, a sweep of other settings, or one that is running.
        SplitError: there are too few groups for so many folds.
        JobFailedError: no clip could be read, or no trial came to an end.
        StoppedError: a video cannot be read, and `strict` is set.
    """
    space, config, out = space or SweepSpace(), config or SweepConfig(), Path(out)
    require_optuna()
    _refuse_unknown(space)
    clips = training_side(regrouped(manifest, config.split))
    require_single_labels(clips.table)
    fold_assignments(clips, folds=config.folds, seed=config.seed)
    record.prepare_sweep_folder(out)
    runner = Runner(clips, config, store_folder, progress, strict, retry_failed)
    identity = config.identity(space, clips.fingerprint)
    with only_one(out / record.LOCK), quiet(), opened_study(out, identity) as study:
        trials = Trials(study, runner, space, out)
        trials.run()
        result = trials.result()
    _finish(result)
    return result


def training_side(manifest: Manifest) -> Manifest:
    """The clips without those of the test split, and without the rest of their groups.

    Raises:
        SplitError: nothing is left.
    """
    splits = manifest.table["split"].to_list()
    if "test" not in splits:
        return manifest.with_notes(
            "no test split is given, so every clip has a say in the choice: the test accuracy that "
            "`vidclass train` will show of a row is then too good; see `vidclass data split`"
        )
    units = manifest.group_ids.to_list()
    held_out = {unit for unit, split in zip(units, splits, strict=True) if split == "test"}
    rows = [row for row, unit in enumerate(units) if unit not in held_out]
    if not rows:
        raise SplitError(
            f"all {len(manifest)} clips are given for test: a sweep needs clips to train on"
        )
    left_out = len(manifest) - len(rows)
    return Manifest(manifest.table[rows], manifest.notes).with_notes(
        f"{counted(left_out, 'clip')} of the given test split and its groups "
        f"{'has' if left_out == 1 else 'have'} no say in this sweep"
    )


def _refuse_unknown(space: SweepSpace) -> None:
    """What is misspelt is better refused now than tried."""
    for name in space.backbone:
        get_backbone(name)
    for name in space.head:
        parse_head(name)


def _finish(result: SweepResult) -> None:
    from vidclass.evaluation.figures import save_figure
    from vidclass.sweeping.figure import cost_figure

    if result.videos is not None:
        write_ledger(result.folder / record.LEDGER, result.failures)
    record.write_table(result)
    if result.best is not None:
        save_figure(cost_figure(result.rows), result.folder / record.FIGURE)
    elif result.rows:
        first = result.rows[0]
        raise JobFailedError(
            f"no trial came to an end, {len(result.rows)} failed. The first one, {first.point}: "
            f"{first.reason}"
        )
