"""Fixtures of the tests that download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from served_file import Site, serve
from vidclass.datasets import download


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between attempts, and no proxy between the test and its own server."""
    monkeypatch.setattr(download, "BACKOFF_S", 0.001)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def site(impatient: None) -> Iterator[Site]:
    """A local server of one file."""
    with serve() as site:
        yield site


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the file shall go; its folder is not there yet."""
    return tmp_path / "new" / "set.bin"
