"""Fixtures: specs of small networks that child processes can build."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vidclass.runtime.ir import IrFiles, ensure_ir
from vidclass.runtime.network_spec import NetworkSpec


@pytest.fixture(scope="session")
def spec_of() -> Iterator[Callable[..., NetworkSpec]]:
    """Return a function that gives the spec of a network in `small_networks`, for children too."""

    def spec(name: str, **more: int) -> NetworkSpec:
        arguments = {"frames": 5, "width": 3} if name == "head" else {"size": 32, **more}
        return NetworkSpec(f"small_networks:{name}", arguments, "test", frames=name != "head")

    here = str(Path(__file__).parents[1] / "support")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
        yield spec


@pytest.fixture(scope="session")
def tiny_ir(spec_of: Callable[..., NetworkSpec], session_cache: Path) -> IrFiles:
    """Build the IR of the tiny network once."""
    return ensure_ir(spec_of("tiny"))
