"""Tests that need a program from a system package: skipped by name without it, or failed."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRE_ALL = "VIDCLASS_REQUIRE_ALL"


def lack_system_package(reason: str) -> NoReturn:
    """Skip the test that runs; fail it where every system package is required."""
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(f"{reason} ({REQUIRE_ALL}=1: run scripts/system-packages)")
    pytest.skip(f"{reason}: scripts/system-packages installs it")
