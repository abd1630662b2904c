"""Parameter names in messages become options, and nothing else changes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from vidclass.cli.main import app
from vidclass.cli.option_names import OptionName, OptionNames, in_options, running

ROOT = Path(__file__).resolve().parents[2]
NAMES = OptionNames(
    {
        "frames": OptionName("--frames"),
        "policy": OptionName("--sampling"),
        "group_pattern": OptionName("--group-pattern"),
        "overwrite": OptionName("--overwrite", is_flag=True),
        "prune": OptionName("--prune", "--no-prune", is_flag=True),
    },
    settings=frozenset({"ema", "augment.mixup"}),
)
TEXT = st.text("abe_fmrsx01 =`'\"./\\-,:()[]{}\n", max_size=60)
MENTION = st.sampled_from(
    ["frames=40", "policy='first'", "`group_pattern`", "overwrite=True", "ema=0.9", "other=1"]
)


@pytest.mark.parametrize(
    ("message", "rewritten"),
    [
        ("frames=0: too few", "--frames 0: too few"),
        ("give fewer, as in frames=8.", "give fewer, as in --frames 8."),
        ("policy='frst' is not one of ['first']", "--sampling 'frst' is not one of ['first']"),
        ("set overwrite=True, or wait", "set --overwrite, or wait"),
        ("`overwrite=True` begins again", "--overwrite begins again"),
        ("prune=False keeps them", "--no-prune keeps them"),
        ("`group_pattern` '(x' is no regex", "--group-pattern '(x' is no regex"),
        ("the `frames` column, column `frames`", "the `frames` column, column `frames`"),
        ("`frames`, not `nothing`", "--frames, not `nothing`"),
        ("ema=2: too much; augment.mixup=-1", "--set ema=2: too much; --set augment.mixup=-1"),
        ("training.ema=2: too much", "--set ema=2: too much"),
        ("features.sampling.frames=0", "--frames 0"),
        ("frames.1='x': no number", "--frames 'x': no number"),
        ("`ema` is used", "--set ema=... is used"),
        ("frames=[1, 2] (frames=3)", "--frames [1, 2] (--frames 3)"),
        # None of these is a parameter of the command.
        ("size=3, `size`, xframes=3", "size=3, `size`, xframes=3"),
        ("overwrite=False, overwrite=3", "overwrite=False, overwrite=3"),
        ("the class 'frames=3' has no clip", "the class 'frames=3' has no clip"),
        ('the class "a frames=3 b" has none', 'the class "a frames=3 b" has none'),
        ("'it\\'s frames=3' is a label", "'it\\'s frames=3' is a label"),
        ("the clip's frames=3 are too few", "the clip's --frames 3 are too few"),
        ("set/frames=3/a.avi is empty", "set/frames=3/a.avi is empty"),
        ("set\\frames=3: is empty", "set\\frames=3: is empty"),
        ("frames=3.avi is empty", "frames=3.avi is empty"),
        ("a-frames=3 a.frames=3", "a-frames=3 a.frames=3"),
        ("`vidclass train --overwrite`", "`vidclass train --overwrite`"),
    ],
)
def test_messages(message: str, rewritten: str) -> None:
    assert NAMES.rewrite(message) == rewritten


def test_files_of_the_command_line_and_the_video_at_fault_are_kept() -> None:
    names = OptionNames(NAMES.options, literals=("my frames=3 clips",))
    assert names.rewrite("my frames=3 clips: try frames=4") == "my frames=3 clips: try --frames 4"
    message = "a frames=5 b.avi: try frames=4"
    assert NAMES.rewrite(message, literals=["a frames=5 b.avi"]) == (
        "a frames=5 b.avi: try --frames 4"
    )


@given(st.text())
def test_text_without_a_name_is_unchanged(text: str) -> None:
    if not re.search("frames|policy|group_pattern|overwrite|prune|ema|mixup", text):
        assert NAMES.rewrite(text) == text


@given(st.lists(st.one_of(TEXT, MENTION)).map(" ".join))
def test_rewriting_twice_is_rewriting_once(text: str) -> None:
    once = NAMES.rewrite(text)
    assert NAMES.rewrite(once) == once


@given(st.text("abe_fmrs=01 .,`", max_size=20), st.sampled_from("'\""))
def test_what_is_quoted_is_unchanged(text: str, mark: str) -> None:
    quoted = f"{mark}{text}{mark}"
    assert NAMES.rewrite(f"the label {quoted} is taken") == f"the label {quoted} is taken"


def test_the_table_of_a_command_comes_from_its_options() -> None:
    group = get_command(app)
    train = group.commands["train"]  # type: ignore[attr-defined]
    names = OptionNames.from_parameters(
        train.params, {"path": "a=b", "out": Path("c=d"), "head": "e=f"}
    )
    assert set(names.literals) == {"a=b", "c=d"}
    assert names.rewrite("`store_folder`, retry_failed=True, size=8, ema=0.9, `path`") == (
        "--store, --retry-failed, --size 8, --set ema=0.9, `path`"
    )


def test_outside_of_a_command_messages_stay() -> None:
    assert in_options("frames=3") == "frames=3"
    token = running.set(NAMES)
    try:
        assert in_options("frames=3") == "--frames 3"
    finally:
        running.reset(token)


def test_the_library_names_no_option_itself() -> None:
    """Its users in Python have none; an option is part of a whole command line, or of a list."""
    option = re.compile(r"[\s'`(]--[a-z]")  # a string that is an option is another program's
    named = []
    for file in sorted((ROOT / "src" / "vidclass").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            text = re.sub(r"`vidclass [^`]*`", "", node.value)
            if option.search(text) and id(node) not in documentation and "cli" not in file.parts:
                named.append(f"{file.name}:{node.lineno}: {node.value}")
    assert named == []


def test_every_parameter_of_every_command_has_a_long_option() -> None:
    def check(command: typer.core.TyperGroup | typer.core.TyperCommand) -> None:
        for each in getattr(command, "commands", {}).values():
            check(each)
        table = OptionNames.from_parameters(command.params, {})
        assert all(option.long.startswith("--") for option in table.options.values())

    check(get_command(app))
