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
from vidclass.errors import RunError
from vidclass.sweeping.config import SweepConfig
from vidclass.sweeping.record import (
    LOCK,
    lock_folder,
    prepare_sweep_folder,
    shell_line,
    train_command,
)
from vidclass.training import run as training

ROW = row(
    3,
    0.5,
    9.0,
    frames=6,
    size=160,
    head="gru(units=32, dropout=0.2)",
    sampling="first",
    crop="whole",
    precision="auto",
)


@pytest.mark.parametrize(
    "config",
    [
        SweepConfig(),
        SweepConfig(
            seed=4, weights="random", epochs=7, groups="parent", group_pattern=r"(p\d+)'s $x"
        ),
    ],
)
def test_train_reads_a_command_as_the_configuration_of_its_row(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs: list[tuple[Path, RunConfig]] = []
    options: list[dict[str, Any]] = []
    source = SourceOptions(path="it's a list.csv", root=tmp_path / "a b", multi_label=True)
    config = config.model_copy(update={"command": train_prefix(source, tmp_path / "store")})
    line = train_command(ROW, config, tmp_path / "my sweep")
    words = shlex.split(line)
    assert words[:2] == ["vidclass", "train"]

    def train(manifest: Manifest, out: Path, config: RunConfig, **rest: Any) -> Any:
        runs.append((out, config))
        options.append(rest)
        raise KeyboardInterrupt

    def read(path: str, **given: Any) -> Any:
        options.append({"path": path, **given})
        return SimpleNamespace()

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(Manifest, "from_source", read)
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 130, result.output
    assert options[0]["path"] == "it's a list.csv"
    assert (options[0]["root"], options[0]["multi_label"]) == (tmp_path / "a b", True)
    assert "fps" not in options[0]
    assert options[1]["store_folder"] == tmp_path / "store"
    expected = config.run_config(ROW.point)
    features = expected.features.model_copy(update={"precision": "bf16"})  # as `auto` chose
    # `--multi-label` also sets the kind of the task.
    same = {"features": features, "task": TaskConfig(kind="multi-label")}
    assert runs == [(tmp_path / "my sweep" / "run-3", expected.model_copy(update=same))]


def test_a_line_is_quoted_for_the_shell_of_the_system() -> None:
    words = ["vidclass", "a b", 'say "x"', "it's"]
    assert shlex.split(shell_line(words, windows=False)) == words
    assert shell_line(words, windows=True) == subprocess.list2cmdline(words)


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


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    with pytest.raises(RunError, match=f"{file} is a file: name a folder for the sweep"):
        prepare_sweep_folder(file)
    with pytest.raises(RunError, match=f"{tmp_path} is not empty and not a sweep: name a new"):
        prepare_sweep_folder(tmp_path)
    with pytest.raises(RunError, match="cannot write into .*: Not a directory|cannot write"):
        prepare_sweep_folder(file / "below")
    prepare_sweep_folder(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()


def test_a_lock_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with (
        pytest.raises(RunError, match="cannot lock .*lock: "),
        lock_folder(tmp_path / "file"),
    ):
        pass
    (tmp_path / LOCK).mkdir()
    with pytest.raises(RunError, match="cannot lock .*lock: "), lock_folder(tmp_path):
        pass


def test_a_lock_file_of_any_content_can_be_locked_again(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("left by another version")
    for _ in range(2):
        with lock_folder(tmp_path):
            held = pytest.raises(RunError, match="another sweep is running")
            with held, lock_folder(tmp_path):
                pass
