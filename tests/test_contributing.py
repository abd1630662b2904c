"""The worked additions of CONTRIBUTING keep the contracts they are checked by."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidclass.backbones import register_backbone_family, unregister_backbone_family
from vidclass.data.readers.reader import ReadOptions
from vidclass.errors import ManifestError
from vidclass.heads import unregister_head
from vidclass.testing import check_backbone, check_head

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"


def printed_modules(text: str) -> dict[str, str]:
    """Return each block of Python by the module that is named last before it."""
    before, *blocks = text.split("```python\n")
    modules = {}
    for block in blocks:
        code, after = block.split("\n```", 1)
        named = re.findall(r"`src/vidclass/[\w/]*?(\w+)\.py`", before)
        if named:
            modules[named[-1]] = code
        before = after
    return modules


@pytest.fixture
def additions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The printed modules, by their printed names, where Python finds them."""
    modules = printed_modules(PAGE.read_text(encoding="utf-8"))
    for name, code in modules.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in modules:
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_the_printed_head(additions: Path) -> None:
    importlib.import_module("peak")
    try:
        check_head("peak")
    finally:
        unregister_head("peak")


@pytest.mark.slow
def test_the_printed_family_of_backbones(additions: Path) -> None:
    family = register_backbone_family(importlib.import_module("pocket").Pocket)
    try:
        check_backbone("pocket")
    finally:
        unregister_backbone_family(family)


def test_the_printed_reader(additions: Path) -> None:
    reader = importlib.import_module("two_columns").READER
    example = re.search(r'"x\.labels": "([^"]+)"\}, damaged="([^"]+)"', PAGE.read_text("utf-8"))
    assert example is not None
    source = additions / "x.labels"
    source.write_text(example[1].encode().decode("unicode_escape"), encoding="utf-8")
    assert reader.accepts(source)
    rows = reader.read(source, ReadOptions())
    assert rows.table["label"].to_list() == ["run", "walk"]
    assert rows.table["video"].to_list() == [str(additions / "a.mp4"), str(additions / "b.mp4")]
    for content in (example[2].encode(), b"", b"\xff\xfe\x00"):
        source.write_bytes(content)
        with pytest.raises(ManifestError, match=r"x\.labels"):
            reader.read(source, ReadOptions())
