"""Files below the temporary folder of a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Make empty files below the test's folder, and return the folder."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file below the test's folder, and return its path."""

    def make(name: str, text: str = "x") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make


@pytest.fixture
def add(write: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write a file below the test's folder, and return the folder."""

    def make(name: str, text: str = "x") -> Path:
        write(name, text)
        return tmp_path

    return make


@pytest.fixture
def ucf101(add: Callable[..., Path]) -> Path:
    """Two classes, two splits; the lists lie beside the class folders."""
    for label in ("ApplyEyeMakeup", "Diving"):
        for group in (1, 8):
            add(f"UCF-101/{label}/v_{label}_g{group:02}_c01.avi", "x")
    add("ucfTrainTestlist/classInd.txt", "1 ApplyEyeMakeup\r\n2 Diving\r\n")
    for split, (train, test) in {"01": (8, 1), "02": (1, 8)}.items():
        lines = [
            f"{label}/v_{label}_g{train:02}_c01.avi {number}"
            for number, label in enumerate(("ApplyEyeMakeup", "Diving"), 1)
        ]
        add(f"ucfTrainTestlist/trainlist{split}.txt", "\r\n".join(lines) + "\r\n")
        lines = [f"{name}/v_{name}_g{test:02}_c01.avi" for name in ("ApplyEyeMakeup", "Diving")]
        root = add(f"ucfTrainTestlist/testlist{split}.txt", "\n".join(lines))
    return root
