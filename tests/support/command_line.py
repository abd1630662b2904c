"""The command line, run in the process of the test."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from vidclass.cli.main import app


def run(*arguments: object, exit_code: int = 0, typed: str = "") -> Result:
    """Run a command; it must end with `exit_code`. `typed` is its standard input."""
    result = CliRunner().invoke(app, [*map(str, arguments)], input=typed)
    if result.exit_code != exit_code:
        raise AssertionError(f"{result.exit_code}: {result.output}") from result.exception
    return result
