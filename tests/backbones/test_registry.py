"""Backbones by name, and families of one's own."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from vidclass.backbones import (
    Backbone,
    BackboneFamily,
    backbone_names,
    get_backbone,
    register_backbone_family,
    unregister_backbone_family,
)
from vidclass.backbones.family import load_family
from vidclass.backbones.hugging_face.family import ALIASES
from vidclass.backbones.keras_applications import APPLICATIONS
from vidclass.backbones.lite.family import LITES
from vidclass.backbones.registry import build_backbone
from vidclass.config import FeatureConfig, GeometryConfig
from vidclass.errors import ConfigError
from vidclass.features.extractor import backbone_spec, feature_extractor
from vidclass.runtime.ir import ensure_ir
from vidclass.testing import check_backbone

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def own() -> Iterator[type[BackboneFamily]]:
    """A registered family of the user's own."""
    from own_backbones import OwnFamily

    register_backbone_family(OwnFamily)
    yield OwnFamily
    unregister_backbone_family(OwnFamily)


def test_the_listed_backbones() -> None:
    names = backbone_names()
    assert len(set(names)) == len(names)
    assert {*LITES, *APPLICATIONS, "i3d_rgb", *ALIASES} <= set(names)


def test_an_unknown_name_names_the_nearest() -> None:
    message = r"backbone='InceptionV4' is not one of .* Did you mean 'InceptionV3'\?"
    with pytest.raises(ConfigError, match=message):
        get_backbone("InceptionV4")


def test_own_backbones_are_found_by_name_and_by_prefix(own: type[BackboneFamily]) -> None:
    assert backbone_names()[-2:] == ["own_frames", "own_windows"]
    assert get_backbone("own_windows").window == 4
    assert get_backbone("own:48").size == 48
    unregister_backbone_family(own)
    with pytest.raises(ConfigError, match="backbone='own_frames' is not one of"):
        get_backbone("own_frames")
    with pytest.raises(ConfigError, match="family of backbones='own' is not one of"):
        get_backbone("own:48")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_frames", "own_windows"])
def test_own_backbones_are_built_in_child_processes(own: type[BackboneFamily], name: str) -> None:
    geometry = GeometryConfig(size=32)
    config = FeatureConfig(backbone=name, geometry=geometry, precision="f32")
    assert ensure_ir(backbone_spec(config)).parity < 1e-4
    extractor = feature_extractor(config)
    assert extractor.open().route == "openvino"
    assert (extractor.width, extractor.window) == (4, 4 if name == "own_windows" else 1)


def test_a_child_process_registers_nothing_by_itself(own: type[BackboneFamily]) -> None:
    arguments = get_backbone("own_frames").build_arguments(size=32, weights="random")
    assert arguments["family"] == "own_backbones:OwnFamily"
    unregister_backbone_family(own)
    assert build_backbone(**arguments).output_shape == (None, 4)
    assert "family" not in get_backbone("MobileNet").build_arguments(size=32, weights="random")


def test_a_family_is_registered_once_under_free_names(own: type[BackboneFamily]) -> None:
    register_backbone_family(own)
    assert backbone_names().count("own_frames") == 1
    from own_backbones import TakesMobileNet, TakesPrefix

    with pytest.raises(ConfigError, match=r"'MobileNet' is a name of .*:KerasApplications'"):
        register_backbone_family(TakesMobileNet)
    with pytest.raises(ConfigError, match=r"'timm' is a name of 'vidclass.backbones.timm:Timm'"):
        register_backbone_family(TakesPrefix)


def test_a_family_that_no_child_process_can_import_is_refused() -> None:
    from own_backbones import OwnFamily

    class Local(OwnFamily):
        """Defined inside a function."""

    with pytest.raises(ConfigError, match="<locals>.Local' cannot be imported by child processes"):
        register_backbone_family(Local)
    script = (
        f"import sys; sys.path.insert(0, {str(SUPPORT)!r})\n"
        "from own_backbones import OwnFamily\n"
        "from vidclass.backbones import register_backbone_family\n"
        "class Mine(OwnFamily): ...\n"
        "register_backbone_family(Mine)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "'__main__:Mine' cannot be imported by child processes" in done.stderr


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere_at_all:Family", "cannot be imported: No module named 'nowhere_at_all'"),
        ("own_backbones:Missing", "cannot be imported: .* has no attribute 'Missing'"),
        ("own_backbones:Backbone", "is no subclass of BackboneFamily"),
    ],
)
def test_a_path_to_no_family_is_refused(path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_family(path)


@pytest.mark.slow
def test_the_documented_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "backbones.md"
    (code,) = re.findall(
        r"```python\n(# my_backbones.py.*?)```", page.read_text("utf-8"), re.DOTALL
    )
    weights = tmp_path / "our.weights.h5"
    (tmp_path / "my_backbones.py").write_text(code.replace("our.weights.h5", str(weights)))
    monkeypatch.syspath_prepend(tmp_path)
    ours = importlib.import_module("my_backbones").Ours
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(64, 3)]
    network = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    keras.Model(
        network.inputs, keras.layers.GlobalAveragePooling2D()(network.outputs[0])
    ).save_weights(weights)
    check_backbone("our_network", size=32, weights="pretrained")
    unregister_backbone_family(ours)


def test_importing_the_contract_is_light() -> None:
    heavy = ("jax", "keras", "openvino", "torch", "transformers", "timm", "keras_hub")
    script = (
        "import sys\nfrom vidclass.backbones import get_backbone\n"
        "get_backbone('i3d_rgb').weights_state\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_backbone_describes_itself() -> None:
    backbone: Any = get_backbone("i3d_rgb")
    assert isinstance(backbone, Backbone)
    assert (backbone.framework, backbone.reference, backbone.window) == ("keras", "numpy", 64)
