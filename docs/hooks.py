"""MkDocs hooks: tables of the options of every command; links to files outside of docs/."""

from __future__ import annotations

import re
from typing import Any

import click
from typer.main import get_command

from vidclass.cli.main import app

OPTIONS = "<!-- options of every command -->"
# Notes in brackets at the end of an option's help: its default, its range, `required`.
NOTES = re.compile(r"(.*?)((?: *\[[^\]]*\])*)")
# A page that the help of an option names.
PAGE = re.compile(r"\b(docs/((?:how-to|reference|explanation)/[\w-]+\.md))")
# Files outside of docs/ are not part of the site: their names stay, without a link.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?!docs/)(?:README|benchmarks|examples)[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the table of options; replace links to files outside of docs/ by their text."""
    if OPTIONS in markdown:
        markdown = markdown.replace(OPTIONS, command_reference())
    return OUTSIDE.sub(r"\1", markdown)


def command_reference() -> str:
    """Return a Markdown section for each command, made from its options."""
    root = get_command(app)
    return "\n\n".join(section(command, name) for name, command in commands(root, "vidclass"))


def commands(command: Any, name: str) -> list[tuple[str, Any]]:
    """Return every command below a group, with its full name."""
    children = getattr(command, "commands", None)
    if children is None:
        return [(name, command)]
    return [each for key, child in children.items() for each in commands(child, f"{name} {key}")]


def section(command: Any, name: str) -> str:
    """Return one command's heading, help and table of parameters."""
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context)).translate({ord("{"): "", ord("}"): ""})
    arguments_first = sorted(
        command.get_params(context), key=lambda each: each.param_type_name != "argument"
    )
    rows = [row(parameter, context) for parameter in arguments_first]
    head = f"### `{name}`\n\n{command.help or ''}\n\n```text\n{name} {usage}\n```"
    table = ["| parameter | meaning | default, range |", "| --- | --- | --- |", *rows]
    return "\n".join([head, "", *table])


def row(parameter: Any, context: click.Context) -> str:
    """Return one line of a table of parameters: name, meaning, default or range."""
    record = parameter.get_help_record(context)
    name, text = record or (parameter.make_metavar(context), getattr(parameter, "help", ""))
    meaning, extra = NOTES.fullmatch(" ".join(str(text or "").split())).groups()
    notes = "; ".join(re.findall(r"\[([^\]]*)\]", extra)).replace("default: ", "")
    name = name.replace(" range>", ">").replace(" <bool>", "")
    return "| " + " | ".join(map(cell, (f"`{name}`", meaning, notes))) + " |"


def cell(text: str) -> str:
    """Escape what Markdown would read as a column, a link or emphasis; link names of pages."""
    pieces = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    pieces[::2] = [re.sub(r"([\[\]*<>])", r"\\\1", piece) for piece in pieces[::2]]
    return PAGE.sub(r"[\1](../\2)", "".join(pieces))
