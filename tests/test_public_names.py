"""What `import vidclass` gives, and what it must not load."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import vidclass

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "av", "jax", "keras", "lance", "matplotlib", "openvino", "optuna", "polars",
    "pyarrow", "sklearn",
)  # fmt: skip


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


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_commands_in_the_documents_exist() -> None:
    from typer.main import get_command

    from vidclass.cli.main import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        fenced = "".join(text.split("```")[1::2])
        named = re.findall(r"^vidclass (\w+)", fenced, re.MULTILINE)
        named += re.findall(r"`vidclass (\w+)", text)
        assert set(named) <= known, f"{page.name}: {set(named) - known}"
