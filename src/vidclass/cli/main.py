"""The entry point: the commands, and the meaning of exit codes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from vidclass.cli import (
    backbones,
    crossval,
    data_check,
    data_get,
    data_split,
    demo,
    evaluate,
    extract,
    features,
    finetune,
    heads,
    predict,
    sweep,
    train,
)
from vidclass.cli.option_names import OptionNames, in_options, running
from vidclass.cli.options import expand_groups
from vidclass.errors import ConfigError, VidclassError, VideoError
from vidclass.version import __version__

FAILED, WRONG, INTERRUPTED = 1, 2, 130


class Command(TyperCommand):
    """A command whose expected errors are one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; messages name its options in place of Python's parameters."""
        table = running.set(OptionNames.from_parameters(self.params, ctx.params))
        try:
            return super().invoke(ctx)
        except VidclassError as error:
            _exit(str(error), WRONG if isinstance(error, ConfigError) else FAILED, error)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            name = str(error.filename)
            text = f"{name[:60]!r}... has {len(name)} characters: no file can have so long a name"
            _exit(text, WRONG, error)
        except KeyboardInterrupt as error:
            typer.echo("interrupted: everything finished so far is kept", err=True)
            raise typer.Exit(INTERRUPTED) from error
        finally:
            running.reset(table)


def _exit(message: str, code: int, error: Exception) -> NoReturn:
    literals = [str(error.path)] if isinstance(error, VideoError) else []
    typer.echo(f"error: {in_options(message, literals=literals)}", err=True)
    raise typer.Exit(code) from error


app = typer.Typer(
    name="vidclass",
    help="Turn a folder of labelled videos into a trained, honest, deployable classifier.",
    epilog="Start with `vidclass demo`. Exit codes: 0 done, 1 failed, 2 wrong command, "
    "130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich would double the time that --help takes
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(help="Fetch public data sets; check clips; split them without leaks.")
stored = typer.Typer(help="List, check and remove stored features.")

COMMANDS: tuple[tuple[typer.Typer, str, Callable[..., None]], ...] = (
    (app, "train", train.train_command),
    (app, "crossval", crossval.crossval_command),
    (app, "extract", extract.extract_command),
    (app, "finetune", finetune.finetune_command),
    (app, "sweep", sweep.sweep_command),
    (app, "demo", demo.demo_command),
    (app, "predict", predict.predict_command),
    (app, "evaluate", evaluate.evaluate_command),
    (app, "backbones", backbones.backbones_command),
    (app, "heads", heads.heads_command),
    (data, "list", data_get.list_command),
    (data, "get", data_get.get_command),
    (data, "split", data_split.split_command),
    (data, "check", data_check.check_command),
    (stored, "list", features.list_command),
    (stored, "verify", features.verify_command),
    (stored, "prune", features.prune_command),
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


for _group, _name, _function in COMMANDS:
    _group.command(_name, cls=Command)(expand_groups(_function))
app.add_typer(data, name="data", no_args_is_help=True)
app.add_typer(stored, name="features", no_args_is_help=True)


def main() -> None:
    """Run the command line."""
    app()
