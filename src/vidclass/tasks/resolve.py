"""The task of labelled clips, and of a bundle: the only place that tells the kinds apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from vidclass._core.text import listed, quoted
from vidclass.config.task import TaskConfig
from vidclass.data.clip import labels_in
from vidclass.errors import ConfigError, ManifestError
from vidclass.tasks.base import LabelTask
from vidclass.tasks.hierarchy import HierarchyTask
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.tasks.single_label import SingleLabelTask

if TYPE_CHECKING:
    from vidclass.data.manifest import Manifest

TASKS: Mapping[str, type[LabelTask]] = {
    task.kind: task for task in (SingleLabelTask, MultiLabelTask, HierarchyTask)
}


def resolve_task(manifest: Manifest, config: TaskConfig) -> LabelTask:
    """Return the task that labelled clips and a configuration call for.

    Raises:
        ManifestError: clips have several labels, which the task does not allow, the labels are no
            tree, or clips of none of the classes have a class.
        ConfigError: no clip has the label `none_label`, or `unknown` is for another task.
    """
    several = manifest.multi_label or config.none_label is not None
    automatic = MultiLabelTask if several else SingleLabelTask
    task_type = automatic if config.kind == "auto" else TASKS[config.kind]
    if not task_type.multi_label:
        from vidclass.data.checks import require_single_labels

        require_single_labels(manifest.table)
    # Built anew, so that settings that do not fit the kind are refused.
    config = TaskConfig.checked(**(config.model_dump() | {"kind": task_type.kind}))
    if config.none_label is None:
        return task_type(()).with_labels(manifest.labels)
    _require_none_label(manifest, config.none_label)
    return MultiLabelTask((), config.none_label).with_labels(manifest.labels)


def task_from_json(values: Mapping[str, Any]) -> LabelTask:
    """Return the task that `LabelTask.to_json` wrote.

    Raises:
        ValueError: the values describe no task.
        ShapeError: they do not fit one another.
    """
    fields = dict(values)
    kind = fields.pop("kind", None)
    if kind not in TASKS:
        raise ValueError(f"kind={kind!r} is none of {sorted(TASKS)}")
    task: LabelTask = TypeAdapter(TASKS[kind]).validate_python(fields)
    return task


def _require_none_label(manifest: Manifest, none_label: str) -> None:
    names = manifest.labels
    if none_label not in names:
        raise ConfigError(
            f"none_label={none_label!r} is the label of no clip. Labels: {listed(quoted(names))}."
        )
    contradictory = [
        label
        for label in manifest.table["label"].unique().sort()
        if none_label in labels_in(label) and len(labels_in(label)) > 1
    ]
    if contradictory:
        raise ManifestError(
            f"clips of none of the classes ({none_label!r}) have no class beside it; received: "
            f"{listed(quoted(contradictory))}."
        )
