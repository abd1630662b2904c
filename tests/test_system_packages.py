"""Tests that need a system package are skipped by name, or fail where everything is required."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
NEEDS_RAR = "tests/datasets/test_get_many.py"


def run_without_programs(folder: Path, **environment: str) -> str:
    command = [sys.executable, "-m", "pytest", "-x", "-rs", "-p", "no:cacheprovider", NEEDS_RAR]
    clean = {name: value for name, value in os.environ.items() if "VIDCLASS" not in name}
    done = subprocess.run(
        command,
        cwd=TESTS.parent,
        env=clean | {"PATH": str(folder)} | environment,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.mark.slow
def test_a_missing_program_skips_by_name_or_fails(tmp_path: Path) -> None:
    skipped = run_without_programs(tmp_path)
    assert "no tool that unpacks RAR is installed" in skipped
    assert "scripts/system-packages installs it" in skipped
    assert not re.search(r"\d (failed|error)", skipped)
    required = run_without_programs(tmp_path, VIDCLASS_REQUIRE_ALL="1")
    assert re.search(r"\b1 (failed|error)\b", required)
    assert "VIDCLASS_REQUIRE_ALL=1: run scripts/system-packages" in required
