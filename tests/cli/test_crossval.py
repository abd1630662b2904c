"""`--seeds` and `--set`, from the command line to what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tiny_set import QUICK_OPTIONS
from vidclass.cli.main import app

SHARE = r"\d+\.\d %"


@pytest.mark.slow
def test_crossval_with_seeds_and_settings(tiny_set: Path, tmp_path: Path) -> None:
    options = ["--store", str(tmp_path), "--folds", "2", "--epochs", "2", "--head", "mean"]
    options += [*QUICK_OPTIONS, "--seed", "3", "--seeds", "2", "--set", "ema=0.9"]
    options += ["--set", "augment.mixup=0.2", "--set", "monitor=macro_f1"]
    done = CliRunner().invoke(app, ["crossval", str(tiny_set), *options])
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.replace("│", " ").split())
    assert re.search(rf" 3 {SHARE} {SHARE} {SHARE} 4 {SHARE} {SHARE} {SHARE} ", text)
    summary = rf"mean accuracy {SHARE} \(95 % interval {SHARE} to {SHARE} for 10 clips\), "
    summary += rf"deviation over seeds {SHARE}, over folds {SHARE}"
    assert re.search(summary, text)
    assert done.stderr.splitlines()[-1] == "10 ok, 0 failed"
    done = CliRunner().invoke(app, ["crossval", str(tiny_set), *options, "--json", "-"])
    value = json.loads(done.stdout)
    assert [row["seed"] for row in value["seeds"]] == [3, 4]
    training = value["config"]["training"]
    assert (training["ema"], training["monitor"], training["seed"]) == (0.9, "macro_f1", 3)
    assert training["augment"]["mixup"] == 0.2


@pytest.mark.parametrize("command", [["crossval", "x"], ["train", "x", "--out", "y"]])
def test_a_setting_that_there_is_not_is_2(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--set", "emma=0.9"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--set 'emma' is not one of" in done.stderr
    assert "Did you mean 'ema'?" in done.stderr
    done = CliRunner().invoke(app, [*command, "--set", "ema=2"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error: --set ema=2: Input should be less than 1" in done.stderr
