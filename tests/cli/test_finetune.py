"""`vidclass finetune`: what its options become, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from command_line import run
from vidclass.config import FinetuneConfig
from vidclass.finetuning import finetune as module


def finetune(*arguments: object, exit_code: int) -> Result:
    return run("finetune", *arguments, exit_code=exit_code)


def test_options_become_settings(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def interrupted(*arguments: Any, **options: Any) -> None:
        asked.append((arguments, options))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "finetune", interrupted)
    arguments = [tmp_path / "run", tiny_set, "--out", tmp_path / "new"]
    options = ["--unfreeze", "0.5", "--epochs", 2, "--flip", "--swap-labels", "dark = light"]
    options += ["--no-jitter", "--remat", "--overwrite"]
    done = finetune(*arguments, *options, exit_code=130)
    assert done.stderr == "interrupted: everything finished so far is kept\n"
    [((folder, manifest, out, config), keywords)] = asked
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
    assert keywords["overwrite"]
    finetune(*arguments, exit_code=130)
    assert asked[1][0][3] == FinetuneConfig()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unfreeze", "some"], "error: --unfreeze 'some': give 'all', a number"),
        (["--flip", "--swap-labels", "a=b", "--swap-labels", "a=c"], "is in another pair, too"),
        (["--flip", "--swap-labels", "left"], "--swap-labels 'left': write two labels"),
        (["--swap-labels", "a=b"], "error: --swap-labels {'a': 'b'} is used only with --flip\n"),
    ],
)
def test_wrong_options_are_named(
    options: list[str], message: str, tiny_set: Path, tmp_path: Path
) -> None:
    arguments = [tmp_path / "run", tiny_set, "--out", tmp_path / "new", *options]
    done = finetune(*arguments, exit_code=2)
    assert message in done.stderr


def test_a_missing_run_is_a_failure(tiny_set: Path, tmp_path: Path) -> None:
    done = finetune(tmp_path / "run", tiny_set, "--out", tmp_path / "new", exit_code=1)
    assert done.stderr == f"error: {tmp_path / 'run'}: there is no such run\n"
