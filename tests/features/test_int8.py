"""An int8 network is calibrated on the clips, and reused for most of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidclass.config import FeatureConfig, GeometryConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import RuntimeRouteError
from vidclass.features import extractor
from vidclass.features import int8 as module
from vidclass.features.extractor import backbone_spec, feature_extractor
from vidclass.features.int8 import int8_for_clips
from vidclass.runtime.ir import IrFiles
from vidclass.runtime.quantize import Int8Ir
from vidclass.types import no_progress

CONFIG = FeatureConfig(weights="random", precision="int8", geometry=GeometryConfig(size=32))
MakeManifest = Callable[..., Manifest]


class Quantizer:
    """Stands in for NNCF: records its calls, keeps its entries."""

    def __init__(self, cosine_mean: float = 0.99) -> None:
        self.cosine_mean = cosine_mean
        self.entries: list[Int8Ir] = []
        self.asked: list[dict[str, Any]] = []

    def make_int8(self, spec: object, **asked: Any) -> Int8Ir:
        self.asked.append(asked)
        files = IrFiles(Path("model.xml"), Path("model.bin"), 0.0)
        name = f"int8-{len(self.asked)}"
        entry = Int8Ir(files, name, frozenset(asked["clips"]), self.cosine_mean, 0.9)
        self.entries.append(entry)
        return entry


@pytest.fixture
def quantizer(monkeypatch: pytest.MonkeyPatch) -> Quantizer:
    fake = Quantizer()
    monkeypatch.setattr(module, "make_int8", fake.make_int8)
    monkeypatch.setattr(module, "int8_entries", lambda spec: list(fake.entries))
    monkeypatch.setattr(module, "require_nncf", lambda: None)
    return fake


@pytest.fixture
def videos(tiny_video: Callable[..., Path]) -> list[Path]:
    return [tiny_video(f"v{frames}.avi", frames=frames) for frames in (5, 6, 9, 20)]


def int8_of(manifest: Manifest) -> Int8Ir:
    return int8_for_clips(backbone_spec(CONFIG), CONFIG, manifest.clips(), progress=no_progress)


def test_frames_to_calibrate_and_to_check_come_from_different_clips(
    quantizer: Quantizer, videos: list[Path], manifest_of: MakeManifest
) -> None:
    reports: list[tuple[str, int, int]] = []
    manifest = manifest_of(videos)
    int8_for_clips(
        backbone_spec(CONFIG), CONFIG, manifest.clips(), progress=lambda *now: reports.append(now)
    )
    (asked,) = quantizer.asked
    # There are few clips: each gives all the frames it has, up to the 20 that are sampled.
    assert asked["calibrate"].shape[1:] == asked["check"].shape[1:] == (32, 32, 3)
    assert len(asked["calibrate"]) + len(asked["check"]) == 5 + 6 + 9 + 20
    assert len(set(asked["clips"])) == 4
    assert ("calibrate", 4, 4) in reports
    assert reports[-1] == ("quantize", 1, 1)


def test_of_many_clips_few_frames_are_taken(
    quantizer: Quantizer,
    videos: list[Path],
    manifest_of: MakeManifest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FRAMES", 8)
    int8_of(manifest_of(videos))
    assert len(quantizer.asked[0]["calibrate"]) == len(quantizer.asked[0]["check"]) == 4


def test_the_order_of_clips_does_not_matter(
    quantizer: Quantizer, videos: list[Path], manifest_of: MakeManifest
) -> None:
    int8_of(manifest_of(videos))
    quantizer.entries.clear()
    int8_of(manifest_of(videos[::-1]))
    first, second = quantizer.asked
    assert first["clips"] == second["clips"]
    np.testing.assert_array_equal(first["calibrate"], second["calibrate"])


def test_a_clip_more_or_less_uses_the_same_network_again(
    quantizer: Quantizer, videos: list[Path], manifest_of: MakeManifest
) -> None:
    first = int8_of(manifest_of(videos[:3]))
    assert int8_of(manifest_of(videos)) is first
    assert int8_of(manifest_of(videos[1:])) is first
    assert len(quantizer.asked) == 1
    assert int8_of(manifest_of(videos[2:])) is not first


def test_clips_that_cannot_be_read_are_left_out(
    quantizer: Quantizer, videos: list[Path], manifest_of: MakeManifest, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.avi"
    bad.write_text("no video")
    int8_of(manifest_of([bad, tmp_path / "missing.avi", videos[0]]))
    (asked,) = quantizer.asked
    assert len(asked["clips"]) == 1
    # One clip has to do for both.
    np.testing.assert_array_equal(asked["calibrate"], asked["check"])
    with pytest.raises(RuntimeRouteError, match="none of the clips to calibrate int8 on can be re"):
        int8_of(manifest_of([bad]))


def test_a_network_too_far_from_float32_is_refused_each_time(
    quantizer: Quantizer, videos: list[Path], manifest_of: MakeManifest
) -> None:
    quantizer.cosine_mean = 0.9
    for _ in range(2):
        with pytest.raises(RuntimeRouteError, match=r"mean cosine of 0\.9000"):
            int8_of(manifest_of(videos))
    assert len(quantizer.asked) == 1


def test_an_extractor_is_known_by_its_int8_network(
    quantizer: Quantizer,
    videos: list[Path],
    manifest_of: MakeManifest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extractor.OpenVinoNetwork, "from_files", lambda *given, cached: given)
    first = feature_extractor(CONFIG, manifest_of(videos))
    assert first.fingerprint == feature_extractor(CONFIG, manifest_of(videos)).fingerprint
    assert first.ir() == quantizer.entries[0].ir
    opened = first.open()
    files = quantizer.entries[0].ir
    assert (opened.network, opened.route) == ((files.xml, files.bin, "int8"), "openvino")
    quantizer.entries.clear()
    assert feature_extractor(CONFIG, manifest_of(videos)).fingerprint != first.fingerprint


def test_a_refusal_names_the_backbone(
    quantizer: Quantizer, manifest_of: MakeManifest, videos: list[Path]
) -> None:
    quantizer.cosine_mean = 0.5
    with pytest.raises(
        RuntimeRouteError, match=r"efficientnet_lite0 cannot run in int8: in int8 this network's"
    ):
        feature_extractor(CONFIG, manifest_of(videos))
