"""Options that several commands share as one parameter."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from vidclass.cli.options import FeatureOptions, OptionGroup, TaskOptions, expand_groups
from vidclass.errors import ConfigError
from vidclass.training.presets import run_config


@dataclass(frozen=True, kw_only=True)
class Primer(OptionGroup):
    primer: Annotated[bool, typer.Option("--primer")] = False


@dataclass(frozen=True, kw_only=True)
class Paint(OptionGroup):
    colour: Annotated[str | None, typer.Option("--colour")] = None
    primer: Primer = field(default_factory=Primer)
    coats: Annotated[int, typer.Option(min=1)] = 2


def paint_command(name: str, *, before: int = 1, paint: Paint, after: int = 3) -> None:
    """Paint something."""
    print(name, before, paint, after)


@pytest.fixture
def painting() -> typer.Typer:
    app = typer.Typer()
    app.command("paint")(expand_groups(paint_command))
    return app


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["wall"], "wall 1 Paint(colour=None, primer=Primer(primer=False), coats=2) 3"),
        (
            ["wall", "--coats", "5", "--primer", "--after", "4", "--colour", "red"],
            "wall 1 Paint(colour='red', primer=Primer(primer=True), coats=5) 4",
        ),
    ],
)
def test_a_group_is_filled_from_its_options(
    painting: typer.Typer, arguments: list[str], printed: str
) -> None:
    done = CliRunner().invoke(painting, arguments)
    assert (done.exit_code, done.stdout) == (0, f"{printed}\n")


def test_options_of_a_group_stand_where_the_group_stood() -> None:
    command = expand_groups(paint_command)
    assert list(inspect.signature(command).parameters) == [
        *("name", "before", "colour", "primer", "coats", "after")
    ]
    assert (command.__name__, command.__doc__) == ("paint_command", "Paint something.")


def test_a_wrong_value_is_named_by_its_option(painting: typer.Typer) -> None:
    done = CliRunner().invoke(painting, ["wall", "--coats", "0"])
    assert done.exit_code == 2
    assert "--coats" in done.output


def test_feature_options_have_the_names_of_the_settings() -> None:
    assert FeatureOptions().given() == {}
    given = FeatureOptions(policy="stride", stride_s=0.5, frames=4)
    sampling = run_config(features=given.given()).features.sampling
    assert (sampling.policy, sampling.stride_s, sampling.frames) == ("stride", 0.5, 4)


def test_task_options_become_fields_of_the_task() -> None:
    assert TaskOptions().config_fields(multi_label=False) == {}
    assert TaskOptions().config_fields(multi_label=True) == {"kind": "multi-label"}
    hierarchy = TaskOptions(hierarchy=True)
    assert hierarchy.config_fields(multi_label=False) == {"kind": "hierarchy"}
    assert TaskOptions(unknown_precision=0.9).config_fields(multi_label=False) == {
        "unknown": True,
        "unknown_precision": 0.9,
    }
    with pytest.raises(ConfigError, match="`hierarchy` and `multi_label` exclude each other"):
        hierarchy.config_fields(multi_label=True)
