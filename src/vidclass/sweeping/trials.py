"""The trials of a sweep, one after the other; whatever ends them, those that are done are kept."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidclass.errors import (
    ConfigError,
    DownloadError,
    RuntimeRouteError,
    ShapeError,
    WeightsError,
)
from vidclass.sweeping import record
from vidclass.sweeping.choose import distributions, next_point
from vidclass.sweeping.command import ready_command
from vidclass.sweeping.result import SweepResult
from vidclass.sweeping.rows import Row, ranked
from vidclass.sweeping.runner import Pruned, Runner, this_machine
from vidclass.sweeping.space import Point, SweepSpace
from vidclass.sweeping.study import REASON, ROW, has_costs, keep_costs, require_optuna, rows_of

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
