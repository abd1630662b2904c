"""The documentation builds strictly, is complete, and loads nothing from other hosts."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.main import get_command

from vidclass.cli.main import app

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = (
    "vidclass",
    "vidclass.backbones",
    "vidclass.config",
    "vidclass.errors",
    "vidclass.heads",
    "vidclass.testing",
)
# Other sites that pages link to, each added on purpose; no package registry is among them.
LINKED_SITES: frozenset[str] = frozenset()

# What a browser loads by itself; links to follow are `a` elements.
_TAG = re.compile(r"<(?!a\b)(\w+)\b([^>]*)>", re.IGNORECASE)
_URL_ATTRIBUTE = re.compile(r"\b(?:src|href|srcset|data|poster)\s*=\s*[\"']?([^\"'\s>]+)")
_CSS_URL = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)")
_HREF = re.compile(r"<a\b[^>]*\bhref\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def resources(text: str) -> Iterator[str]:
    """Yield the URL of everything that a browser loads to show a page or a style sheet."""
    for _, attributes in _TAG.findall(text):
        yield from _URL_ATTRIBUTE.findall(attributes)
    for url, imported in _CSS_URL.findall(text):
        yield url or imported


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ('<script src="https://x.org/a.js">', ["https://x.org/a.js"]),
        ("<link rel=stylesheet href=//x.org/a.css>", ["//x.org/a.css"]),
        ('<img alt="" src="a.png">', ["a.png"]),
        ("@font-face{src: url('http://x.org/f.woff')}", ["http://x.org/f.woff"]),
        ('@import "https://x.org/a.css";', ["https://x.org/a.css"]),
        ('<a href="https://x.org">x</a>', []),
    ],
)
def test_resources_are_recognised(text: str, urls: list[str]) -> None:
    assert list(resources(text)) == urls


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 25
    for page in pages:
        outside = [
            url
            for url in resources(page.read_text(encoding="utf-8"))
            if re.match(r"(https?:)?//", url)
        ]
        assert outside == [], page.relative_to(site)


def test_pages_link_to_other_sites_on_purpose_only(site: Path) -> None:
    for page in site.rglob("*.html"):
        links = _HREF.findall(page.read_text(encoding="utf-8"))
        hosts = {urlsplit(url).hostname for url in links} - {None}
        assert hosts <= LINKED_SITES, page.relative_to(site)


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below a group, with its full name."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
    for key, child in (children or {}).items():
        yield from commands(child, f"{name} {key}")


def test_every_option_of_every_command_is_listed(site: Path) -> None:
    text = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    sections = {
        html.unescape(re.sub(r"<[^>]+>", "", title)).replace("¶", "").strip(): body
        for title, body in re.findall(r"<h3[^>]*>(.*?)</h3>(.*?)(?=<h[23]|</article>)", text, re.S)
    }
    expected = dict(commands(get_command(app), "vidclass"))
    assert len(expected) > 15
    assert sections.keys() == expected.keys()
    for name, command in expected.items():
        rows = re.findall(r"<tr>\s*<td[^>]*>(.*?)</td>\s*<td[^>]*>(.*?)</td>", sections[name], re.S)
        names = [html.unescape(re.sub(r"<[^>]+>", "", first)) for first, _ in rows]
        assert len(rows) == len(command.params) + 1, name  # and --help
        assert all(meaning.strip() for _, meaning in rows), name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                longest = max(parameter.opts, key=len)
                assert any(longest in re.split(r"[\s,]+", each) for each in names), (name, longest)


def test_every_public_name_is_described(site: Path) -> None:
    text = (site / "reference" / "python-api.html").read_text(encoding="utf-8")
    described = set(re.findall(r'<h3 id="(vidclass[\w.]*)"', text))
    names = {f"{module}.{name}" for module in PUBLIC for name in import_module(module).__all__}
    assert names - {"vidclass.__version__"} == described
