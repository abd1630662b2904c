"""One vocabulary: words that the field does not use are in no name, option, JSON key or column."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from typer.main import get_command

from vidclass.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "vidclass"

# Retired wherever they are part of a name, with the word that is used instead.
RETIRED_PARTS = {
    "truth": "targets",
    "hopeless": "dropped early",
    "race": "head comparison",
    "looks": "inspection",
    "wording": "text",
    "upkeep": "maintenance",
    "maker": "feature extractor",
    "gather": "collect",
    "suspect": "label issue",
    "suspects": "label issues",
    "finding": "issue",
    "findings": "issues",
    "picture": "image",
    "pictures": "images",
    "imagenet": "pretrained",
    "room": "package",
    "rooms": "packages",
    "recipe": "preset, network spec",
    "recipes": "presets, network specs",
    "spare": "holdout",
    "lost": "failure counts",
    "several": "multi",
}
# Retired as whole names; inside longer ones they may be ordinary English.
RETIRED_NAMES = {
    "way", "clip_look", "answer", "answers", "answer_rule", "held_out", "not_looked_at",
}  # fmt: skip
# `exact` said logistic regression; exact duplicates are the field's term.
RETIRED_MODULES = {"exact", "parts", "units", "needs", "keys", "networks", "members"}
# Keys of other tools' formats: Label Studio's.
FOREIGN = {"is_ground_truth"}

# In prose only the coined words are retired.
COINED = re.compile(
    r"\bthe hopeless\b|ClipLook|\bfeature makers?\b|\bfolders? of (numbered )?pictures\b"
    r"|not_looked_at|\brooms? of\b|\b(this|each|one|another|other) room\b|\bthe truth of\b",
    re.IGNORECASE,
)


def words_of(name: str) -> list[str]:
    """Split snake_case, kebab-case and CamelCase into lower-case words."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def retired(name: str) -> str:
    """Return why a name is retired, or an empty string."""
    words = words_of(name)
    if "_".join(words) in RETIRED_NAMES:
        return f"{name}: retired"
    return ", ".join(
        f"{name}: say {RETIRED_PARTS[word]}" for word in words if word in RETIRED_PARTS
    )


def names_in(path: Path) -> Iterator[str]:
    """Yield a module's name, and those of its classes, functions, parameters, fields and keys."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value if re.fullmatch(r"[a-z_]+", key.value) else ""


def keys_in(value: Any) -> Iterator[str]:
    """Yield every key of a JSON value."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from keys_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from keys_in(each)


def options_of(command: Any) -> Iterator[str]:
    """Yield the names of every command below `command`, and of their parameters."""
    for name, child in getattr(command, "commands", {}).items():
        yield name
        yield from options_of(child)
    for parameter in command.params:
        yield from (str(each).lstrip("-") for each in (*parameter.opts, *parameter.secondary_opts))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ClipLook", "ClipLook: retired"),
        ("not_looked_at", "not_looked_at: retired"),
        ("write-truth", "write-truth: say targets"),
        ("SuspectTable", "SuspectTable: say label issue"),
        ("outlook", ""),
        ("exact_match", ""),
    ],
)
def test_retired_words_are_recognised(name: str, reason: str) -> None:
    assert retired(name) == reason


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_no_name_uses_a_retired_word(path: Path) -> None:
    folders = path.relative_to(SOURCE).parent.parts
    names = {*names_in(path), *folders} - FOREIGN
    assert path.stem not in RETIRED_MODULES
    assert [reason for name in sorted(names) if (reason := retired(name))] == []


def test_no_option_uses_a_retired_word() -> None:
    names = set(options_of(get_command(app)))
    assert {"backbone", "preset", "train"} <= names
    assert [reason for name in sorted(names) if (reason := retired(name))] == []


def test_no_output_uses_a_retired_word() -> None:
    frozen = json.loads((ROOT / "tests" / "frozen" / "behaviour.json").read_text(encoding="utf-8"))
    names = set(keys_in(frozen["json_shapes"]))
    names |= {column for columns in frozen["csv_columns"].values() for column in columns}
    assert "accuracy" in names
    assert [reason for name in sorted(names) if (reason := retired(name))] == []


@pytest.mark.parametrize(
    "path",
    [
        *sorted(SOURCE.rglob("*.py")),
        *sorted(SOURCE.rglob("*.html")),
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_prose_uses_no_coined_word(path: Path) -> None:
    text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
    assert [match[0] for match in COINED.finditer(text)] == []


def test_every_command_is_described_in_plain_words() -> None:
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        help_text = command.get_help(click.Context(command, info_name=name))
        assert not COINED.search(help_text), name
