"""The networks of keras.applications: their facts, their weights, and errors without them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from vidclass._core.files import sha256_of
from vidclass.backbones import get_backbone
from vidclass.backbones.keras_applications import APPLICATIONS
from vidclass.backbones.lite.family import LITES
from vidclass.backbones.registry import build_backbone
from vidclass.errors import ConfigError, WeightsError

# One of each family but the largest, and those that are quickly built.
BUILT = (
    *LITES,
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "Xception",
)
# Nothing is fetched: the builder only records the name of the file that Keras would fetch.
BUILDER = """
import json, sys
import vidclass.runtime.openvino_network
from keras.src.models import Model
from keras.src.utils import file_utils
from vidclass.backbones.registry import build_backbone, get_backbone
fetched = []
file_utils.get_file = lambda name, *_, **__: fetched.append(name)
Model.load_weights = lambda *_, **__: None
for name in sys.argv[1:]:
    fetched.clear()
    model = build_backbone(name, get_backbone(name).size, "pretrained")
    shapes = [model.input_shape, model.output_shape]
    print(json.dumps([name, *shapes, model.count_params(), fetched]))
"""


def test_every_network_of_keras_applications_is_there() -> None:
    assert {name for name in dir(keras.applications) if name[0].isupper()} == set(APPLICATIONS)


@pytest.mark.slow
def test_built_networks_are_as_declared() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUILDER, *BUILT],
        env=os.environ | {"KERAS_BACKEND": "openvino"},
        capture_output=True,
        text=True,
        check=True,
    )
    built = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    declared = [get_backbone(name) for name in BUILT]
    assert built == [
        [
            entry.name,
            [None, entry.size, entry.size, 3],
            [None, entry.width],
            entry.parameters,
            [APPLICATIONS[entry.name].weights_file] if entry.name in APPLICATIONS else [],
        ]
        for entry in declared
    ]


def test_weights_that_keras_has_fetched_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert get_backbone("ResNet50").weights_state == "to be fetched"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / APPLICATIONS["ResNet50"].weights_file).touch()
    assert get_backbone("ResNet50").weights_state == "at hand"
    assert get_backbone("ResNet101").weights_state == "to be fetched"


@pytest.fixture(scope="module")
def small() -> Any:
    return build_backbone("MobileNet", 32, "random")


def inner(model: Any) -> Any:
    """The network without its preprocessing."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def test_preprocessing_is_inside(small: Any) -> None:
    frames = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    preprocess = keras.applications.mobilenet.preprocess_input
    expected = inner(small).predict_on_batch(preprocess(frames.copy()))
    np.testing.assert_allclose(small.predict_on_batch(frames), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_own_weights_of_an_application_are_loaded(small: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.weights.h5"
    inner(small).save_weights(file)
    loaded = build_backbone("MobileNet", 32, str(file))
    for weight, expected in zip(loaded.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert get_backbone("MobileNet").weights_id(str(file)).endswith(sha256_of(file))


def raising(error: Exception) -> Callable[..., Any]:
    def create(**_: Any) -> Any:
        raise error

    return create


URL = "https://files.test/inception_v3/inception_v3_notop.h5"


@pytest.mark.parametrize(
    "reason", ["None -- [Errno -2] Name or service not known", "404 -- Not Found"]
)
def test_weights_that_cannot_be_fetched_say_where_to_put_them(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The text is that of keras.utils.get_file, which raises a bare Exception.
    error = Exception(f"URL fetch failure on {URL}: {reason}")
    monkeypatch.setattr(keras.applications, "InceptionV3", raising(error))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        build_backbone("InceptionV3", 299, "pretrained")
    target = tmp_path / "models" / APPLICATIONS["InceptionV3"].weights_file
    assert str(caught.value) == (
        "the ImageNet weights of InceptionV3 are not on this machine and cannot be fetched: "
        f"{error}. Download {URL} where there is a network and put it here: {target}"
    )


def test_the_error_of_keras_is_still_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real path through Keras, with its download pointed at a port that nobody listens to."""
    from keras.src.utils import file_utils

    fetch = file_utils.urlretrieve
    monkeypatch.setattr(
        file_utils, "urlretrieve", lambda _, *rest: fetch("http://127.0.0.1:9/x.h5", *rest)
    )
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    message = (
        r"the ImageNet weights of MobileNet are not on this machine .*Connection refused.* "
        rf"put it here: {tmp_path}{os.sep}models{os.sep}mobilenet_1_0_224\S+\.h5$"
    )
    with pytest.raises(WeightsError, match=message):
        build_backbone("MobileNet", 224, "pretrained")


@pytest.mark.parametrize(
    ("name", "url", "file"),
    [
        # Keras keeps NASNet's files under other names than they have where they come from.
        ("NASNetMobile", "https://files.test/NASNet-mobile-no-top.h5", "nasnet_mobile_no_top.h5"),
        ("MobileNet", "https://files.test/mobilenet_1_0_128.h5", "mobilenet_1_0_128.h5"),
    ],
)
def test_weights_are_to_be_put_where_keras_looks(
    name: str, url: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    error = Exception(f"URL fetch failure on {url}: 404 -- Not Found")
    monkeypatch.setattr(keras.applications, name, raising(error))
    with pytest.raises(WeightsError) as caught:
        build_backbone(name, 128, "pretrained")
    assert str(caught.value).endswith(f" put it here: {tmp_path / 'models' / file}")


def test_a_corrupt_download_is_an_expected_error(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ValueError("Incomplete or corrupted file detected. The md5 file hash does not match.")
    monkeypatch.setattr(keras.applications, "InceptionV3", raising(error))
    message = r"cannot be fetched: Incomplete or corrupted file detected.* Download its ImageNet"
    with pytest.raises(WeightsError, match=message):
        build_backbone("InceptionV3", 299, "pretrained")


def test_images_too_small_for_a_network_are_refused() -> None:
    message = r"size=32 is too small for InceptionV3: .*at least 75x75.* its own is 299"
    with pytest.raises(ConfigError, match=message):
        build_backbone("InceptionV3", 32, "random")


def test_other_errors_of_keras_are_raised_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.applications, "InceptionV3", raising(ValueError("a defect")))
    with pytest.raises(ValueError, match="a defect"):
        build_backbone("InceptionV3", 299, "random")
