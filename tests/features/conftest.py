"""Fixtures: a fake network, and manifests of tiny videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from fake_network import FakeExtractor
from vidclass.data.manifest import Manifest
from vidclass.data.rows import SCHEMA


@pytest.fixture
def fake() -> FakeExtractor:
    return FakeExtractor()


@pytest.fixture
def manifest_of() -> Callable[..., Manifest]:
    """Return a function that makes a manifest; `spans` gives (start_s, stop_s) of each video."""

    def make(
        videos: Sequence[Path], spans: Sequence[tuple[float, float | None]] | None = None
    ) -> Manifest:
        spans = spans or [(0.0, None)] * len(videos)
        rows = [
            (str(video), "a", None, None, None, start_s, stop_s, None)
            for video, (start_s, stop_s) in zip(videos, spans, strict=True)
        ]
        return Manifest(pl.DataFrame(rows, schema=dict(SCHEMA), orient="row"))

    return make
