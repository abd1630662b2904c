"""What `import vidclass` gives, and what it must not load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import vidclass

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "av", "jax", "keras", "lance", "matplotlib", "openvino", "optuna", "polars",
    "pyarrow", "sklearn",
)  # fmt: skip


PUBLIC = (
    "vidclass",
    "vidclass.backbones",
    "vidclass.config",
    "vidclass.errors",
    "vidclass.heads",
    "vidclass.testing",
)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", vidclass.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(vidclass, name)
    assert name in dir(vidclass)
    if name != "__version__":
        assert value.__doc__
        assert value.__module__.startswith("vidclass.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="vidclass.*nothing"):
        vidclass.nothing  # noqa: B018


@pytest.mark.parametrize("statement", ["import vidclass", "import vidclass.cli.main"])
def test_importing_is_light(statement: str) -> None:
    script = f"{statement}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_readme_and_ci_name_scripts_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    scripts = re.findall(r"^bash (scripts/\w+)", readme, re.MULTILINE)
    assert scripts == ["scripts/demo", "scripts/test"]
    for script in scripts:
        assert (ROOT / script).is_file()
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert run[-3:] == [
        "bash scripts/system-packages",
        "export VIDCLASS_REQUIRE_ALL=1",
        "exec bash scripts/test",
    ]


@pytest.mark.parametrize("module", PUBLIC)
def test_public_modules_list_their_names(module: str) -> None:
    names = import_module(module).__all__
    assert list(names) == sorted(names)
    assert all(getattr(import_module(module), name) is not None for name in names)


def python_sources() -> Iterator[tuple[str, str]]:
    """The examples, and the Python code in README and docs, each with its origin."""
    for path in sorted((ROOT / "examples").glob("*.py")):
        yield path.name, path.read_text(encoding="utf-8")
    for page in (page for page in PAGES if page.name != "CONTRIBUTING.md"):
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
        yield from ((page.name, block) for block in blocks)


def test_documents_and_examples_use_public_names_only() -> None:
    sources = list(python_sources())
    assert len(sources) > 5
    for origin, code in sources:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.startswith("vidclass")]
                assert set(names) <= set(PUBLIC), origin
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vidclass"):
                assert node.module in PUBLIC, f"{origin}: from {node.module}"
                allowed = set(import_module(node.module).__all__)
                assert {alias.name for alias in node.names} <= allowed, origin
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "vidclass":
                assert node.attr in vidclass.__all__, f"{origin}: vidclass.{node.attr}"


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_commands_in_the_documents_exist() -> None:
    from typer.main import get_command

    from vidclass.cli.main import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fenced = "".join(text.split("```")[1::2])
        named = re.findall(r"^vidclass (\w+)", fenced, re.MULTILINE)
        named += re.findall(r"`vidclass (\w+)", text)
        assert set(named) <= known, f"{page.name}: {set(named) - known}"
