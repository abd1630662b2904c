"""`vidclass finetune`: what its options become, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vidclass.cli.main import app
from vidclass.config import FinetuneConfig
from vidclass.finetuning import finetune as module


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["finetune", *map(str, arguments)])


def test_options_become_settings(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def interrupted(*arguments: Any, **options: Any) -> None:
        asked.append((arguments, options))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "finetune", interrupted)
    done = run(
        tmp_path / "run", tiny_set, "--out", tmp_path / "new", "--unfreeze", "0.5", "--epochs", 2,
        "--flip", "--swap-labels", "dark=light", "--no-jitter", "--remat", "--overwrite",
    )  # fmt: skip
    assert done.exit_code == 130
    assert done.stderr == "interrupted: everything finished so far is kept\n"
    [((folder, manifest, out, config), options)] = asked
    assert (folder, out) == (tmp_path / "run", tmp_path / "new")
    assert len(manifest) == 10
    assert config == FinetuneConfig(
        unfreeze=0.5,
        epochs=2,
        flip=True,
        swap_labels={"dark": "light"},
        jitter=False,
        remat=True,
    )
    assert options["overwrite"]
    assert run(tmp_path / "run", tiny_set, "--out", tmp_path / "new").exit_code == 130
    assert asked[1][0][3] == FinetuneConfig()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unfreeze", "some"], "error: --unfreeze 'some': give 'all', a number"),
        (["--flip", "--swap-labels", "left"], "--swap-labels 'left': write two labels"),
        (["--swap-labels", "a=b"], "error: --swap-labels {'a': 'b'} is used only with --flip\n"),
    ],
)
def test_wrong_options_are_named(
    options: list[str], message: str, tiny_set: Path, tmp_path: Path
) -> None:
    done = run(tmp_path / "run", tiny_set, "--out", tmp_path / "new", *options)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_missing_run_is_a_failure(tiny_set: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "run", tiny_set, "--out", tmp_path / "new")
    assert (done.exit_code, done.stderr) == (
        1,
        f"error: {tmp_path / 'run'}: there is no such run\n",
    )
