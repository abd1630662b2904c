"""The help of every command, as a whole.

`python tests/cli/test_help.py` writes `help.txt` anew; a change of that file is a change of what
users read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from vidclass.cli.main import app

SNAPSHOT = Path(__file__).with_name("help.txt")
# Words that are no longer used for what they once named.
RETIRED = (
    "answer",
    "finding",
    "held out",
    "hopeless",
    "imagenet",
    "looked at",
    "maker",
    "members",
    "picture",
    "recipe",
    "spare",
    "suspect",
    "truth",
)


def commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group with the words that call it."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, *path, name)


COMMANDS = dict(commands(get_command(app)))
IDS = [" ".join(path) or "vidclass" for path in COMMANDS]


def help_of(path: tuple[str, ...]) -> str:
    """Return the help of a command as it is printed, without line breaks."""
    done = CliRunner().invoke(app, [*path, "--help"], terminal_width=2000, max_content_width=2000)
    assert done.exit_code == 0
    return " ".join(done.stdout.split())


def parameters(path: tuple[str, ...]) -> list[Any]:
    """Return the options and arguments that are vidclass's own."""
    typers = {"help", "install_completion", "show_completion"}
    return [each for each in COMMANDS[path].params if each.name not in typers]


def snapshot() -> str:
    """Return the help texts of all commands, without what other versions of Typer print."""
    lines = []
    for path, command in COMMANDS.items():
        lines += ["", " ".join(("vidclass", *path)), f"  {command.help}"]
        for each in parameters(path):
            name = " ".join((*each.opts, *each.secondary_opts)) if is_option(each) else ""
            lines.append(f"  {name or each.metavar or each.name}: {each.help}")
    return "\n".join(lines[1:]) + "\n"


def is_option(parameter: Any) -> bool:
    return str(parameter.param_type_name) == "option"


def test_the_help_is_the_one_on_file() -> None:
    assert snapshot() == SNAPSHOT.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_every_option_and_argument_is_explained(path: tuple[str, ...]) -> None:
    text = help_of(path)
    for each in parameters(path):
        assert each.help, each.name
        assert " ".join(each.help.split()) in text
        if is_option(each):
            assert all(option in text for option in (*each.opts, *each.secondary_opts))
    assert " ".join(COMMANDS[path].help.split()) in text


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_no_help_has_a_retired_word(path: tuple[str, ...]) -> None:
    words = help_of(path).lower()
    assert [word for word in RETIRED if re.search(rf"\b{word}s?\b", words)] == []


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot(), encoding="utf-8")
