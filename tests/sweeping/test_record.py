"""Files of a sweep folder; the command line of a row makes that very row."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from made_rows import row
from vidclass.cli.main import app
from vidclass.cli.options import SourceOptions
from vidclass.cli.sweep import split_list, train_prefix
from vidclass.config import RunConfig, TaskConfig
from vidclass.data.manifest import Manifest
from vidclass.sweeping import record as module
from vidclass.sweeping.config import SweepConfig
from vidclass.sweeping.record import quoted_line, ready_command
from vidclass.training import run as training

ROW = row(
    3, 0.5, 9.0, frames=6, size=160, head="gru(units=32, dropout=0.2)", sampling="first",
    crop="whole", precision="auto",
)  # fmt: skip


@pytest.mark.parametrize(
    "config",
    [
        SweepConfig(),
        SweepConfig(
            seed=4, weights="random", epochs=7, groups="parent", group_pattern=r"(p\d+)'s $x"
        ),
    ],
)
def test_train_reads_it_as_the_configuration_of_the_row(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[Path, RunConfig]] = []
    asked: list[dict[str, Any]] = []
    source = SourceOptions(path="it's a list.csv", root=tmp_path / "a b", multi_label=True)
    config = config.model_copy(update={"command": train_prefix(source, tmp_path / "store")})
    line = ready_command(ROW, config, tmp_path / "my sweep")
    words = shlex.split(line)
    assert words[:2] == ["vidclass", "train"]

    def train(manifest: Manifest, out: Path, config: RunConfig, **rest: Any) -> Any:
        seen.append((out, config))
        asked.append(rest)
        raise KeyboardInterrupt

    def read(path: str, **options: Any) -> Any:
        asked.append({"path": path, **options})
        return SimpleNamespace()

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(Manifest, "from_source", read)
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == 130, done.output
    assert asked[0]["path"] == "it's a list.csv"
    assert (asked[0]["root"], asked[0]["multi_label"]) == (tmp_path / "a b", True)
    assert "fps" not in asked[0]
    assert asked[1]["store_folder"] == tmp_path / "store"
    expected = config.run_config(ROW.point)
    features = expected.features.model_copy(update={"precision": "bf16"})  # what auto was
    # `--multi-label` says what the clips themselves say.
    same = {"features": features, "task": TaskConfig(kind="multi-label")}
    assert seen == [(tmp_path / "my sweep" / "run-3", expected.model_copy(update=same))]


def test_a_line_is_quoted_for_the_shell_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["vidclass", "a b", 'say "x"', "it's"]
    assert shlex.split(quoted_line(words)) == words
    monkeypatch.setattr(module.os, "name", "nt")
    assert quoted_line(words) == subprocess.list2cmdline(words)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("8,16", ["8", "16"]),
        (" mean , gru ,", ["mean", "gru"]),
        ("gru(units=32, dropout=0.2),mean", ["gru(units=32, dropout=0.2)", "mean"]),
        ("", []),
        ("a),b", ["a)", "b"]),
    ],
)
def test_lists_of_the_command_line(text: str, parts: list[str]) -> None:
    assert split_list(text) == parts
