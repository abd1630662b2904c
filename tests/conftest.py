"""Fixtures that more than one room's tests use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips beside the checkout; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip(f"no real clips: {SHARED} is not there")
    return SHARED
