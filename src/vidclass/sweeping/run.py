"""A sweep: many combinations, each by cross-validation, and what they cost."""

from __future__ import annotations

from pathlib import Path

from vidclass._core.text import counted
from vidclass.backbones.registry import get_backbone
from vidclass.data.checks import refuse_several_labels
from vidclass.data.groups import keep_together
from vidclass.data.manifest import Manifest
from vidclass.data.splits import fold_assignments
from vidclass.errors import JobFailedError, SplitError
from vidclass.features.grouping import regrouped
from vidclass.heads.registry import parse_head
from vidclass.ledger import write_ledger
from vidclass.sweeping import record
from vidclass.sweeping.lock import only_one
from vidclass.sweeping.result import SweepResult
from vidclass.sweeping.runner import Runner
from vidclass.sweeping.settings import SweepConfig
from vidclass.sweeping.space import SweepSpace
from vidclass.sweeping.study import opened_study, quiet, require_optuna
from vidclass.sweeping.trials import Trials
from vidclass.types import Progress, no_progress


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
    refuse_several_labels(clips.table)
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
    units = keep_together(manifest.table).to_list()
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
