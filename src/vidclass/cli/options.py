"""Options of several commands, each declared once, and the groups in which commands take them.

A command declares a parameter of a group's type and gets an instance of it, filled from the command
line; Typer sees one option for each field. Fields are named as the library names the parameter
that they become, so that its messages can be told in options (`option_names`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from vidclass.errors import ConfigError

if TYPE_CHECKING:
    from vidclass.config import RunConfig
    from vidclass.data.manifest import Manifest
    from vidclass.types import Progress

Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is standard output.")
]
StoreFolder = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the feature store.  [default: in the user's cache]"),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first video that cannot be read.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of splits and training.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Maximum number of epochs.")]
Folds = Annotated[int, typer.Option(min=2, help="Folds, if the source has no `fold` column.")]
AllowLeak = Annotated[
    bool,
    typer.Option(
        "--allow-leak",
        help="Let a group be on both sides of a split. The accuracy then means little.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the run that the folder holds.")
]
SwapLabels = Annotated[
    list[str] | None,
    typer.Option(
        "--swap-labels",
        metavar="A=B",
        help="Two labels that mirroring exchanges, such as left=right; may be repeated.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(help="Backbone weights: pretrained, random, or a Keras weights file."),
]


class OptionGroup:
    """Base of frozen dataclasses whose fields are options, arguments or further groups."""


def expand_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` for Typer: the fields of each `OptionGroup` in place of the group."""
    signature = inspect.signature(command, eval_str=True)
    groups = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if _is_group(parameter.annotation)
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name in groups:
            parameters += _parameters(groups[name])
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    def run(**values: Any) -> None:
        built = {name: _build(group, values) for name, group in groups.items()}
        command(**built, **values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, OptionGroup)


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    """Return the fields of a group, and of groups in it, as keyword-only parameters."""
    annotations = get_type_hints(group, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for each in fields(group):
        annotation = annotations[each.name]
        if _is_group(annotation):
            parameters += _parameters(annotation)
            continue
        default = inspect.Parameter.empty if each.default is MISSING else each.default
        parameters.append(
            inspect.Parameter(
                each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
        )
    return parameters


def _build(group: type[Any], values: dict[str, Any]) -> Any:
    """Build a group from `values`, taking its own out of them."""
    annotations = get_type_hints(group, include_extras=True)
    return group(
        **{
            each.name: _build(annotations[each.name], values)
            if _is_group(annotations[each.name])
            else values.pop(each.name)
            for each in fields(group)
        }
    )


def without_none(**options: Any) -> dict[str, Any]:
    """Return the options that are not None, which stands for `not given`."""
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class SourceOptions(OptionGroup):
    """SOURCE, the labelled clips, and how to read it; nothing is read before `manifest`.

    All but `path` are named as the parameters of `Manifest.from_source`.
    """

    path: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder with one sub-folder per class, a CSV/TSV/JSONL/Parquet file, or the "
            "lists or annotations of another tool (docs/how-to/sources.md).",
            show_default=False,
        ),
    ]
    root: Annotated[
        Path | None,
        typer.Option(help="Folder of the videos, if they are not beside the list."),
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            help="Format of the source, if it is not recognised (docs/how-to/sources.md)."
        ),
    ] = None
    official_split: Annotated[
        int | None,
        typer.Option(min=1, help="Number of the official split of UCF101 or HMDB51.  [default: 1]"),
    ] = None
    labels: Annotated[
        Path | None, typer.Option(help="File of class names, for lists of class numbers.")
    ] = None
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second of image sequences and of annotations by frame."),
    ] = None
    multi_label: Annotated[
        bool | None,
        typer.Option("--multi-label", help="Rows of the same clip give it several labels."),
    ] = None

    def manifest(self, **more: Any) -> Manifest:
        """Read the labelled clips.

        Args:
            more: Further arguments of `Manifest.from_source`.

        Raises:
            ManifestError: the source cannot be used.
        """
        from vidclass.data.manifest import Manifest

        return Manifest.from_source(self.path, **more, **self.given())

    def given(self) -> dict[str, Any]:
        """Return the options that were given, by their names in `Manifest.from_source`."""
        return without_none(**{n: value for n, value in vars(self).items() if n != "path"})


@dataclass(frozen=True, kw_only=True)
class GroupingOptions(OptionGroup):
    """Clips to keep together in splits; named as the fields of `SplitConfig`."""

    groups: Annotated[
        str,
        typer.Option(
            help="Clips to keep together: auto (the `group` column, else `_gNN_` in the names), "
            "parent (the folder of the video), near-duplicates (auto, and clips that are nearly "
            "the same), none (each video alone)."
        ),
    ] = "auto"
    group_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Take groups from the paths: what the parentheses match, as in '(p\\d+)_'.",
        ),
    ] = None

    def keywords(self) -> dict[str, Any]:
        """Return them as keywords of `SplitConfig` and `Manifest.from_source`."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class ExecutionFlags(OptionGroup):
    """Execution of work on many videos: keywords that the library's functions share."""

    store_folder: StoreFolder = None
    strict: Strict = False
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try clips again that could not be read before."),
    ] = False

    def keywords(self, progress: Progress) -> dict[str, Any]:
        """Return them as keywords of `train`, `extract` and the like, with `progress`."""
        return {**vars(self), "progress": progress}


@dataclass(frozen=True, kw_only=True)
class FeatureOptions(OptionGroup):
    """Changes to the features of a preset; named as in `run_config(features=...)`."""

    backbone: Annotated[
        str | None,
        typer.Option("--backbone", help="Pretrained network (see `vidclass backbones`)."),
    ] = None
    frames: Annotated[int | None, typer.Option(min=1, help="Frames per clip.  [default: 20]")] = (
        None
    )
    policy: Annotated[
        str | None,
        typer.Option(
            "--sampling",
            help="Which frames: uniform (over the whole clip), random (one of each equal part, "
            "always the same for a clip), first (the first ones), stride.",
        ),
    ] = None
    stride_s: Annotated[
        float | None,
        typer.Option("--stride-s", help="Seconds between frames for --sampling stride."),
    ] = None
    views: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Interleaved sets of --frames frames, for uniform and random sampling; the head "
            "sees them all.  [default: 1]",
        ),
    ] = None
    crop: Annotated[str | None, typer.Option(help="centre (square) or whole (squeezed frame).")] = (
        None
    )
    size: Annotated[
        int | None, typer.Option(help="Side of the input in pixels.  [default: the backbone's own]")
    ] = None
    short_side: Annotated[
        int | None,
        typer.Option(
            help="Scale frames so that their shorter side has this many pixels, then cut --size "
            "of them out of the centre.  [default: as --size]"
        ),
    ] = None
    weights: Weights = None
    precision: Annotated[
        str | None,
        typer.Option(
            help="Number format of the backbone: f32, bf16, int8 (fastest, calibrated on your "
            "clips), or auto (bf16 where the processor has it, else f32).  [default: auto]"
        ),
    ] = None

    def given(self) -> dict[str, Any]:
        """Return the options that were given."""
        return without_none(**vars(self))


@dataclass(frozen=True, kw_only=True)
class TaskOptions(OptionGroup):
    """Meaning of labels, where the clips alone do not tell (docs/how-to/labels.md)."""

    none_label: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="The label of clips that show none of the classes.",
        ),
    ] = None
    hierarchy: Annotated[
        bool,
        typer.Option("--hierarchy", help="Labels have levels, as in sport/basketball."),
    ] = False
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help="Choose the probability below which a prediction is `unknown`: 95 % of the "
            "correct predictions on the validation clips stay above it.",
        ),
    ] = False
    unknown_precision: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Choose that probability so that this share of the predictions above it is "
            "correct instead, as in 0.95.",
        ),
    ] = None

    def config_fields(self, *, multi_label: bool) -> dict[str, Any]:
        """Return the fields of `TaskConfig` that the command line sets.

        Args:
            multi_label: Several labels per clip, even if no clip of the source has several.

        Raises:
            ConfigError: `multi_label` is given with `hierarchy`.
        """
        if self.hierarchy and multi_label:
            raise ConfigError("`hierarchy` and `multi_label` exclude each other: choose one.")
        from vidclass.tasks.hierarchy import HierarchyTask
        from vidclass.tasks.multi_label import MultiLabelTask

        chosen = without_none(none_label=self.none_label)
        if multi_label:
            chosen["kind"] = MultiLabelTask.kind
        if self.hierarchy:
            chosen["kind"] = HierarchyTask.kind
        if self.unknown or self.unknown_precision is not None:
            chosen |= {"unknown": True, "unknown_precision": self.unknown_precision}
        return chosen


Preset = Annotated[
    str,
    typer.Option(
        help="Named settings to start from: default, accurate (two networks, about six times the "
        "work), keras-example.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(OptionGroup):
    """Settings of a training run: a preset, and what is changed in it."""

    preset: Preset = "default"
    features: FeatureOptions = field(default_factory=FeatureOptions)
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            help="Model over time (see `vidclass heads`); auto compares several on the training "
            "clips, 'auto(mean, gru)' those named.  [default: auto]",
        ),
    ] = None
    epochs: Epochs = None
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any training setting, may be repeated: ema=0.99, loss=focal, augment.mixup=0.2 "
            "(see docs/how-to/training.md).",
        ),
    ] = None
    flip: Annotated[
        bool,
        typer.Option(
            "--flip", help="Train on mirror images too, and average the predictions of both."
        ),
    ] = False
    swap_labels: SwapLabels = None
    task: TaskOptions = field(default_factory=TaskOptions)
    seed: Seed = 0

    def config(self, *, multi_label: bool, split: Mapping[str, Any]) -> RunConfig:
        """Return the settings of the run.

        Args:
            multi_label: As in `TaskOptions.config_fields`.
            split: Fields of `SplitConfig`.

        Raises:
            ConfigError: an option has a value that is not allowed.
        """
        from vidclass.config import parse_swap_labels, parse_training_settings
        from vidclass.training.presets import run_config

        return run_config(
            self.preset,
            head=self.head,
            features=self.features.given(),
            training={
                "seed": self.seed,
                **without_none(epochs=self.epochs),
                **parse_training_settings(self.settings or []),
            },
            split=split,
            flip=self.flip,
            swap_labels=parse_swap_labels(self.swap_labels or ()),
            task=self.task.config_fields(multi_label=multi_label),
        )
