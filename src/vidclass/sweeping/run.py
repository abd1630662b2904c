"""Sweep: cross-validate many combinations of settings and measure what they cost."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass._core.execution import ExecutionOptions
from vidclass._core.text import counted
from vidclass.backbones.registry import get_backbone
from vidclass.data.checks import require_single_labels
from vidclass.data.manifest import Manifest
from vidclass.data.splits import require_folds
from vidclass.errors import (
    ConfigError,
    DownloadError,
    JobFailedError,
    RuntimeRouteError,
    ShapeError,
    SplitError,
    WeightsError,
)
from vidclass.features.near_duplicates import assign_groups
from vidclass.heads.registry import parse_head
from vidclass.ledger import write_ledger
from vidclass.sweeping import record
from vidclass.sweeping.config import Point, SweepConfig, SweepSpace
from vidclass.sweeping.result import Row, SweepResult, ranked
from vidclass.sweeping.search import distributions, next_point
from vidclass.sweeping.study import (
    REASON,
    ROW,
    has_costs,
    import_optuna,
    load_rows,
    open_study,
    quiet_optuna,
    save_costs,
)
from vidclass.sweeping.trial import Pruned, TrialRunner, processor_name
from vidclass.types import Progress, no_progress

if TYPE_CHECKING:
    import optuna

# Errors of one combination; all others concern every combination.  The last three are how Keras
# and JAX report shapes that do not fit and exhausted memory.
TRIAL_ERRORS = (
    ConfigError,
    DownloadError,
    RuntimeRouteError,
    ShapeError,
    WeightsError,
    ValueError,
    RuntimeError,
    MemoryError,
)


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
    """Cross-validate combinations of settings on the same folds and measure their cost.

    Clips of a given `test` split, and the rest of their groups, are left out.  The same call with
    the same folder continues where the last one was, however it ended.

    Args:
        manifest: The clips.
        out: Folder of the sweep.
        space: Values to try; None for a small space that a laptop can do.
        config: Search settings.
        store_folder: Folder of the feature store; None for the default one.
        progress: Callback; reports stage `trials`, and the stages of each trial.
        strict: Raise for the first clip that cannot be read.
        retry_failed: Read clips again that failed before.

    Raises:
        ConfigError: Optuna is not installed, or a backbone or head does not exist.
        RunError: `out` holds something else, a sweep of other settings, or one that is running.
        SplitError: There are too few groups for the number of folds.
        JobFailedError: No clip could be read, or no trial was completed.
        StoppedError: A video cannot be read, and `strict` is set.
    """
    space, config, out = space or SweepSpace(), config or SweepConfig(), Path(out)
    execution = ExecutionOptions(store_folder, progress, strict, retry_failed)
    with quiet_optuna():
        _require_known_names(space)
        clips = training_side(assign_groups(manifest, config.split))
        require_single_labels(clips.table)
        # Each trial assigns its folds itself; here they only have to exist, before anything is
        # written.
        require_folds(clips, folds=config.folds, seed=config.seed)
        record.prepare_sweep_folder(out)
        identity = config.identity(space, clips.fingerprint)
        with record.lock_folder(out), open_study(out, identity) as study:
            loop = TrialLoop(study, TrialRunner(clips, config, execution), space, out)
            loop.run()
            result = loop.result()
    _write_result(result)
    return result


@dataclass
class TrialLoop:
    """Runs trials one after the other and stores each.

    Attributes:
        study: Storage of the trials.
        runner: Runner of one trial.
        space: The combinations.
        folder: Folder of the sweep.
    """

    study: optuna.Study
    runner: TrialRunner
    space: SweepSpace
    folder: Path

    def run(self) -> None:
        """Run the trials that are left; finished ones are kept, however this ends."""
        config, started = self.runner.config, time.monotonic()
        sampler = config.sampler_for(len(self.space.points()))
        total = min(config.trials, len(self.space.points()))
        while len(rows := load_rows(self.study)) < config.trials:
            self.runner.execution.progress("trials", len(rows), total)
            if config.timeout_s is not None and time.monotonic() - started >= config.timeout_s:
                self.runner.notes.append(
                    f"the time was up after {len(rows)} of {total} trials; the same call continues"
                )
                break
            tried = [row.point for row in rows]
            point = next_point(self.space, self.study, tried, sampler=sampler, seed=config.seed)
            if point is None:
                break
            self._run_trial(point, [row for row in rows if row.state == "complete"])
            record.write_table(self.result())
        self._compare_costs()

    def _compare_costs(self) -> None:
        """Measure all complete trials side by side: the machine may have been busy before."""
        complete = [row for row in load_rows(self.study) if row.state == "complete"]
        if self.runner.config.remeasure or not has_costs(self.study, complete):
            costs = self.runner.measure_together([row.point for row in complete])
            save_costs(self.study, processor_name(), costs)

    def _run_trial(self, point: Point, others: list[Row]) -> None:
        states = import_optuna().trial.TrialState
        self.study.enqueue_trial(point.values())
        trial = self.study.ask(distributions(self.space))
        saved: dict[str, Any] = {}

        def save(**values: Any) -> None:
            saved.update(values)
            trial.set_user_attr(ROW, saved)

        try:
            accuracy, ms_per_clip = self.runner.run(point, others, save)
        except Pruned as reason:
            trial.set_user_attr(REASON, str(reason))
            self.study.tell(trial, state=states.PRUNED)
        except TRIAL_ERRORS as error:
            trial.set_user_attr(REASON, f"{type(error).__name__}: {error}")
            self.study.tell(trial, state=states.FAIL)
        except BaseException:
            # A failed trial without a reason is no row, so it will be tried again.  If the database
            # itself was interrupted, the next call closes the trial.
            with suppress(Exception):
                self.study.tell(trial, state=states.FAIL)
            raise
        else:
            self.study.tell(trial, (accuracy, ms_per_clip))

    def result(self) -> SweepResult:
        """Return the rows so far."""
        runner = self.runner
        rows = [
            replace(row, command=record.train_command(row, runner.config, self.folder))
            for row in ranked(load_rows(self.study))
        ]
        failures = tuple(runner.failures.values())
        result = SweepResult(self.folder, self.space, runner.config, rows, failures, runner.videos)
        return replace(result, notes=tuple(dict.fromkeys(self._notes(result))))

    def _notes(self, result: SweepResult) -> list[str]:
        notes = [*self.runner.manifest.notes, *self.runner.notes]
        complete = [row for row in result.rows if row.state == "complete"]
        if self.runner.config.groups == "near-duplicates":
            notes.append(
                "near duplicates depend on the features: the folds of rows with other features may "
                "differ"
            )
        if len(complete) > 1:
            nested = result.accuracy_of_choosing
            estimate = f"; by nested cross-validation it is {100 * (nested or 0):.1f} %"
            notes.append(
                f"the best row was chosen among {len(complete)} on the clips that it is scored on: "
                f"its accuracy is optimistic{'' if nested is None else estimate}"
            )
        return notes


def training_side(manifest: Manifest) -> Manifest:
    """Return the clips outside the test split and outside the groups it touches.

    Raises:
        SplitError: No clip is left.
    """
    splits = manifest.table["split"].to_list()
    if "test" not in splits:
        return manifest.with_notes(
            "no test split is given, so every clip takes part in the choice: the test accuracy of "
            "a later training run with a row's settings is then too good; give a test split first"
        )
    group_ids = manifest.group_ids.to_list()
    test_groups = {group for group, split in zip(group_ids, splits, strict=True) if split == "test"}
    rows = [row for row, group in enumerate(group_ids) if group not in test_groups]
    if not rows:
        raise SplitError(
            f"all {len(manifest)} clips are given for test: a sweep needs clips to train on"
        )
    left_out = counted(len(manifest) - len(rows), "clip")
    return Manifest(manifest.table[rows], manifest.notes).with_notes(
        f"{left_out} of the given test split and its groups left out of this sweep"
    )


def _require_known_names(space: SweepSpace) -> None:
    """Raise ConfigError for a misspelt backbone or head, before anything is tried."""
    for name in space.backbone:
        get_backbone(name)
    for name in space.head:
        parse_head(name)


def _write_result(result: SweepResult) -> None:
    """Write ledger, table and figure; raise JobFailedError if no trial was completed."""
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
            f"no trial was completed, {len(result.rows)} failed. The first one, {first.point}: "
            f"{first.reason}"
        )
