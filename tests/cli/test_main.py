"""The entry point: help, version, exit codes, and what starting it loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tiny_set import command
from vidclass import __version__
from vidclass.backbones import backbone_names, get_backbone
from vidclass.cli import console
from vidclass.cli.main import app
from vidclass.heads.registry import heads

COMMANDS = [
    "train",
    "crossval",
    "extract",
    "demo",
    "predict",
    "evaluate",
    "data",
    "features",
    "backbones",
    "heads",
]
HEAVY = ("av", "cv2", "jax", "keras", "lance", "matplotlib", "openvino", "polars", "sklearn")
LONG = "x" * 5000


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)


def test_version_and_help_of_the_program() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"vidclass {__version__}\n", "")
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in COMMANDS:
        assert f" {name} " in done.stdout
    assert "130 interrupted" in " ".join(done.stdout.split())


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["data", "get", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom vidclass.cli.main import app\n"
        f"app({arguments}, standalone_mode=False)\n"
        f"print('loaded:', sorted(set({HEAVY}) & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize(
    "name", [*COMMANDS, "data list", "data get", "data split", "features list"]
)
def test_every_command_has_help(name: str) -> None:
    done = CliRunner().invoke(app, [*name.split(), "-h"])
    assert done.exit_code == 0
    assert f"Usage: vidclass {name} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], ""),
        (["trian"], "No such command 'trian'"),
        (["train", "x"], "Missing option"),
        (["train", "x", "--out", "y", "--frames", "0"], "--frames"),
        (["extract", "x", "--backbone", "InceptionV4"], "Did you mean 'InceptionV3'?"),
        (["extract", "x", "--recipe", "default"], "No such option: --recipe"),
        (["extract", "x", "--preset", "keras"], "--preset 'keras' is not one of"),
        (["train", "x", "--out", "y", "--head", "tempral"], "Did you mean 'temporal'?"),
        (["crossval", "x", "--sampling", "last"], "--sampling 'last'"),
        (["extract", "x", "--stride-s", "0.5"], "--stride-s is used only by --sampling 'stride'"),
        (["data", "get", "ucf101-top6", "y"], "Did you mean 'ucf101-top5'?"),
    ],
)
def test_a_wrong_command_is_2(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert message in done.output
    if arguments:
        assert done.stdout == ""


def test_a_failed_job_is_1(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["extract", str(tmp_path / "none")])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: the source '{tmp_path / 'none'}' does not exist.")


@pytest.mark.parametrize("arguments", [["backbones"], ["data", "list"]])
def test_an_interrupted_job_is_130(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(console, "show", interrupt)
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (130, "")
    assert done.stderr == "interrupted: everything finished so far is kept\n"


@pytest.mark.parametrize(
    "arguments",
    [["train", LONG, "--out", "run"], ["data", "check", LONG], ["predict", LONG, "a.mp4"]],
    ids=["train", "check", "predict"],
)
def test_a_name_that_no_file_can_have_is_a_wrong_command(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: '")
    assert "characters: no file can have so long a name" in done.stderr


def test_a_defect_is_no_expected_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(console, "show", fail)
    done = CliRunner().invoke(app, ["backbones"])
    assert isinstance(done.exception, ZeroDivisionError)


def test_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["backbones"])
    for name in backbone_names():
        backbone = get_backbone(name)
        row = next(line for line in done.stdout.splitlines() if f" {name} " in line)
        assert f"{backbone.size}x{backbone.size}" in row
        assert f" {backbone.width} " in row
    done = CliRunner().invoke(app, ["heads"])
    for name in heads():
        assert f" {name} " in done.stdout
    assert "temporal *" in done.stdout
    assert done.stdout.endswith("* compared by --head auto, the default\n")
    done = CliRunner().invoke(app, ["data", "list"])
    assert "ucf101-top5" in done.stdout
    assert (done.exit_code, done.stderr) == (0, "")
