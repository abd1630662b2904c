"""Options that several commands share as one parameter."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from vidclass.cli.feature_options import FeatureOptions
from vidclass.cli.option_groups import OptionGroup, takes_groups
from vidclass.cli.source_options import Source
from vidclass.cli.task_options import TaskOptions
from vidclass.errors import ConfigError
from vidclass.training.presets import run_config


@dataclass(frozen=True)
class Paint(OptionGroup):
    colour: Annotated[str | None, typer.Option("--colour")] = None
    coats: Annotated[int, typer.Option(min=1)] = 2


def paint_command(name: str, *, before: int = 1, paint: Paint, after: int = 3) -> None:
    """Paint something."""
    print(name, before, paint, after)


@pytest.fixture
def painting() -> typer.Typer:
    app = typer.Typer()
    app.command("paint")(takes_groups(paint_command))
    return app


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["wall"], "wall 1 Paint(colour=None, coats=2) 3"),
        (
            ["wall", "--coats", "5", "--after", "4", "--colour", "red"],
            "wall 1 Paint(colour='red', coats=5) 4",
        ),
    ],
)
def test_a_group_is_filled_from_its_options(
    painting: typer.Typer, arguments: list[str], printed: str
) -> None:
    done = CliRunner().invoke(painting, arguments)
    assert (done.exit_code, done.stdout) == (0, f"{printed}\n")


def test_options_of_a_group_stand_where_the_group_stood() -> None:
    command = takes_groups(paint_command)
    assert list(inspect.signature(command).parameters) == [
        "name", "before", "colour", "coats", "after"
    ]  # fmt: skip
    assert (command.__name__, command.__doc__) == ("paint_command", "Paint something.")


def test_a_wrong_value_is_named_by_its_option(painting: typer.Typer) -> None:
    done = CliRunner().invoke(painting, ["wall", "--coats", "0"])
    assert done.exit_code == 2
    assert "--coats" in done.output


def test_feature_options_have_the_names_of_the_settings() -> None:
    assert FeatureOptions().chosen() == {}
    given = FeatureOptions(policy="stride", stride_s=0.5, frames=4)
    sampling = run_config(features=given.chosen()).features.sampling
    assert (sampling.policy, sampling.stride_s, sampling.frames) == ("stride", 0.5, 4)


def test_task_options_say_what_labels_mean() -> None:
    plain, several = Source("clips", {}), Source("clips", {"multi_label": True})
    assert TaskOptions().chosen(plain) == {}
    assert TaskOptions().chosen(several) == {"kind": "multi-label"}
    assert TaskOptions(hierarchy=True).chosen(plain) == {"kind": "hierarchy"}
    assert TaskOptions(unknown_precision=0.9).chosen(plain) == {
        "unknown": True,
        "unknown_precision": 0.9,
    }
    with pytest.raises(ConfigError, match="--hierarchy and --multi-label exclude one another"):
        TaskOptions(hierarchy=True).chosen(several)
