"""Specs name networks; their fingerprints change with whatever changes the network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vidclass.runtime import network_spec
from vidclass.runtime.network_spec import NetworkSpec, probe_inputs

SPEC = NetworkSpec("small_networks:tiny", {"size": 32, "scale": 1.0}, "weights-1", True)


@pytest.mark.parametrize(
    "change",
    [
        {"builder": "small_networks:head"},
        {"arguments": {"size": 33, "scale": 1.0}},
        {"identity": "weights-2"},
        {"frames": False},
    ],
)
def test_a_fingerprint_changes_with_every_part(change: dict[str, Any]) -> None:
    assert replace(SPEC, **change).fingerprint() != SPEC.fingerprint()


def test_a_fingerprint_does_not_change_with_the_order_of_arguments() -> None:
    other = replace(SPEC, arguments={"scale": 1.0, "size": 32})
    assert other.fingerprint() == SPEC.fingerprint()


def test_a_fingerprint_changes_with_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    before = SPEC.fingerprint()
    monkeypatch.setattr(network_spec, "version", lambda _: "0.0")
    assert SPEC.fingerprint() != before


def test_a_spec_builds_its_network() -> None:
    assert SPEC.build().output_shape == (None, 4)


@pytest.mark.parametrize("size", [8, 33, 224])
def test_a_backbone_is_probed_with_three_different_images(size: int) -> None:
    frames = probe_inputs(replace(SPEC, arguments={"size": size}))["frames"]
    assert frames.shape == (3, size, size, 3)
    assert frames.dtype == np.uint8
    assert len({frame.tobytes() for frame in frames}) == 3
    assert all(frame.std() > 20 for frame in frames)
    again = probe_inputs(replace(SPEC, arguments={"size": size}))["frames"]
    np.testing.assert_array_equal(frames, again)


@pytest.mark.parametrize(("frames", "lengths"), [(7, [0, 1, 3, 7]), (1, [0, 1, 1, 1])])
def test_a_head_is_probed_with_clips_of_all_lengths(frames: int, lengths: list[int]) -> None:
    spec = replace(SPEC, arguments={"frames": frames, "width": 6}, frames=False)
    inputs = probe_inputs(spec)
    assert inputs["mask"].sum(1).tolist() == lengths
    assert inputs["features"].shape == (4, frames, 6)
    assert inputs["features"].dtype == np.float32
    assert not inputs["features"][~inputs["mask"]].any()
    assert inputs["features"][inputs["mask"]].any()
