"""The entry point: the commands, and the meaning of exit codes."""

from __future__ import annotations

import errno
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vidclass.cli import (
    data_commands,
    features_commands,
    finetune_command,
    info_commands,
    sweep_command,
    train_commands,
    use_commands,
)
from vidclass.errors import ConfigError, VidclassError
from vidclass.version import __version__

FAILED, WRONG, INTERRUPTED = 1, 2, 130


class Commands(TyperGroup):
    """A group of commands whose expected errors are one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except VidclassError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(WRONG if isinstance(error, ConfigError) else FAILED) from error
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            name = str(error.filename)
            text = f"{name[:60]!r}... has {len(name)} characters: no file can have so long a name"
            typer.echo(f"error: {text}", err=True)
            raise typer.Exit(WRONG) from error
        except KeyboardInterrupt as error:
            typer.echo("interrupted: everything finished so far is kept", err=True)
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="vidclass",
    cls=Commands,
    help="Turn a folder of labelled videos into a trained, honest, deployable classifier.",
    epilog="Start with `vidclass demo`. Exit codes: 0 done, 1 failed, 2 wrong command, "
    "130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich would double the time that --help takes
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vidclass {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


train_commands.register(app)
finetune_command.register(app)
sweep_command.register(app)
use_commands.register(app)
data_commands.register(app)
features_commands.register(app)
info_commands.register(app)


def main() -> None:
    """Run the command line."""
    app()
