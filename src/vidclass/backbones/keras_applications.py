"""The networks of keras.applications as backbones, with their preprocessing inside."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from vidclass.backbones.family import Backbone, BackboneFamily, WeightsState
from vidclass.backbones.keras_weights import (
    file_or_random_id,
    load_weights_file,
    randomise,
    zero_initialisers,
)
from vidclass.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    import keras


_TF = "_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclass(frozen=True)
class _App:
    """Facts of one network.

    Attributes:
        module: Its module in keras.applications.
        size: Side of its own input, in pixels.
        width: D, the width of its features.
        parameters: Number of parameters without the classifier.
        weights_file: Name of Keras's local copy of the ImageNet weights for that size.
    """

    module: str
    size: int
    width: int
    parameters: int
    weights_file: str


# Facts of Keras 3.15.
APPLICATIONS: dict[str, _App] = {
    "ConvNeXtTiny": _App("convnext", 224, 768, 27_820_128, "convnext_tiny_notop.h5"),
    "ConvNeXtSmall": _App("convnext", 224, 768, 49_454_688, "convnext_small_notop.h5"),
    "ConvNeXtBase": _App("convnext", 224, 1024, 87_566_464, "convnext_base_notop.h5"),
    "ConvNeXtLarge": _App("convnext", 224, 1536, 196_230_336, "convnext_large_notop.h5"),
    "ConvNeXtXLarge": _App("convnext", 224, 2048, 348_147_968, "convnext_xlarge_notop.h5"),
    "DenseNet121": _App("densenet", 224, 1024, 7_037_504, "densenet121" + _TF),
    "DenseNet169": _App("densenet", 224, 1664, 12_642_880, "densenet169" + _TF),
    "DenseNet201": _App("densenet", 224, 1920, 18_321_984, "densenet201" + _TF),
    "EfficientNetB0": _App("efficientnet", 224, 1280, 4_049_571, "efficientnetb0_notop.h5"),
    "EfficientNetB1": _App("efficientnet", 240, 1280, 6_575_239, "efficientnetb1_notop.h5"),
    "EfficientNetB2": _App("efficientnet", 260, 1408, 7_768_569, "efficientnetb2_notop.h5"),
    "EfficientNetB3": _App("efficientnet", 300, 1536, 10_783_535, "efficientnetb3_notop.h5"),
    "EfficientNetB4": _App("efficientnet", 380, 1792, 17_673_823, "efficientnetb4_notop.h5"),
    "EfficientNetB5": _App("efficientnet", 456, 2048, 28_513_527, "efficientnetb5_notop.h5"),
    "EfficientNetB6": _App("efficientnet", 528, 2304, 40_960_143, "efficientnetb6_notop.h5"),
    "EfficientNetB7": _App("efficientnet", 600, 2560, 64_097_687, "efficientnetb7_notop.h5"),
    "EfficientNetV2B0": _App("efficientnet_v2", 224, 1280, 5_919_312, "efficientnetv2-b0_notop.h5"),
    "EfficientNetV2B1": _App("efficientnet_v2", 240, 1280, 6_931_124, "efficientnetv2-b1_notop.h5"),
    "EfficientNetV2B2": _App("efficientnet_v2", 260, 1408, 8_769_374, "efficientnetv2-b2_notop.h5"),
    "EfficientNetV2B3": _App(
        "efficientnet_v2", 300, 1536, 12_930_622, "efficientnetv2-b3_notop.h5"
    ),
    "EfficientNetV2S": _App("efficientnet_v2", 384, 1280, 20_331_360, "efficientnetv2-s_notop.h5"),
    "EfficientNetV2M": _App("efficientnet_v2", 480, 1280, 53_150_388, "efficientnetv2-m_notop.h5"),
    "EfficientNetV2L": _App("efficientnet_v2", 480, 1280, 117_746_848, "efficientnetv2-l_notop.h5"),
    "InceptionResNetV2": _App(
        "inception_resnet_v2", 299, 1536, 54_336_736, "inception_resnet_v2" + _TF
    ),
    "InceptionV3": _App("inception_v3", 299, 2048, 21_802_784, "inception_v3" + _TF),
    "MobileNet": _App("mobilenet", 224, 1024, 3_228_864, "mobilenet_1_0_224_tf_no_top.h5"),
    "MobileNetV2": _App(
        "mobilenet_v2",
        224,
        1280,
        2_257_984,
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    ),
    "MobileNetV3Small": _App(
        "mobilenet_v3", 224, 576, 939_120, "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
    ),
    "MobileNetV3Large": _App(
        "mobilenet_v3", 224, 960, 2_996_352, "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5"
    ),
    "NASNetMobile": _App("nasnet", 224, 1056, 4_269_716, "nasnet_mobile_no_top.h5"),
    "NASNetLarge": _App("nasnet", 331, 4032, 84_916_818, "nasnet_large_no_top.h5"),
    "ResNet50": _App("resnet", 224, 2048, 23_587_712, "resnet50" + _TF),
    "ResNet101": _App("resnet", 224, 2048, 42_658_176, "resnet101" + _TF),
    "ResNet152": _App("resnet", 224, 2048, 58_370_944, "resnet152" + _TF),
    "ResNet50V2": _App("resnet_v2", 224, 2048, 23_564_800, "resnet50v2" + _TF),
    "ResNet101V2": _App("resnet_v2", 224, 2048, 42_626_560, "resnet101v2" + _TF),
    "ResNet152V2": _App("resnet_v2", 224, 2048, 58_331_648, "resnet152v2" + _TF),
    "VGG16": _App("vgg16", 224, 512, 14_714_688, "vgg16" + _TF),
    "VGG19": _App("vgg19", 224, 512, 20_024_384, "vgg19" + _TF),
    "Xception": _App("xception", 299, 2048, 20_861_480, "xception" + _TF),
}


# Keras ports these from elsewhere, under the terms that its documentation repeats.
_LICENCES = {
    "densenet": "BSD-3-Clause",
    "resnet": "MIT",
    "vgg16": "CC-BY-4.0",
    "vgg19": "CC-BY-4.0",
}


class KerasApplications(BackboneFamily):
    """The networks of keras.applications, without their classifiers, averaged over the image."""

    names = tuple(APPLICATIONS)

    def describe(self, name: str) -> Backbone:
        """Return the facts from the table of networks."""
        app = APPLICATIONS[name]
        licence = _LICENCES.get(app.module, "Keras: Apache-2.0")
        return Backbone(name, self, app.size, app.width, app.parameters, licence=licence)

    def build(self, name: str, *, size: int, weights: str, window: int = 1) -> keras.Model:
        """Build the network behind its own preprocessing."""
        import keras

        network = _create(name, size, published=weights == "pretrained")
        inputs = keras.Input(network.input_shape[1:], name="frames")
        module = import_module(f"keras.applications.{APPLICATIONS[name].module}")
        model = keras.Model(inputs, network(module.preprocess_input(inputs)), name=name.lower())
        if weights == "random":
            randomise(model)
        elif weights != "pretrained":
            load_weights_file(network, name, weights)
        return model

    def weights_id(self, name: str, weights: str) -> str:
        """Return Keras's version, which pins its weights, or the checksum of the file."""
        own = weights == "pretrained"
        return f"keras-{version('keras')}-{weights if own else file_or_random_id(name, weights)}"

    def weights_state(self, name: str) -> WeightsState:
        """Return whether Keras has fetched the weights for the network's own size."""
        fetched = (_weights_folder() / APPLICATIONS[name].weights_file).is_file()
        return "at hand" if fetched else "to be fetched"

    def weights_source(self, name: str) -> str:
        """Return that Keras fetches them."""
        return "by Keras, when the backbone is first used"


def _create(name: str, size: int, *, published: bool) -> keras.Model:
    import keras

    channels_first = keras.config.image_data_format() == "channels_first"
    try:
        with zero_initialisers():
            network: keras.Model = getattr(keras.applications, name)(
                include_top=False,
                weights="imagenet" if published else None,
                pooling="avg",
                input_shape=(3, size, size) if channels_first else (size, size, 3),
            )
    except Exception as error:  # Keras raises bare Exception and ValueError: only the text tells
        text = str(error)
        if "URL fetch failure" in text or "Incomplete or corrupted file" in text:
            raise _cannot_fetch(name, text) from error
        if "Input size must be at least" in text:
            raise ConfigError(
                f"size={size} is too small for {name}: {text}. Give a larger size; its own "
                f"is {APPLICATIONS[name].size}"
            ) from error
        raise
    return network


def _weights_folder() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


def _cannot_fetch(name: str, message: str) -> WeightsError:
    match = re.search(r"https?://\S+?(?=:? |: None|$)", message)
    url = match.group().rstrip(":") if match else "its ImageNet weights"
    file = APPLICATIONS[name].weights_file
    if match and APPLICATIONS[name].module.startswith("mobilenet"):  # a file for each input size
        file = url.rsplit("/", 1)[-1]
    return WeightsError(
        f"the ImageNet weights of {name} are not on this machine and cannot be fetched: {message}. "
        f"Download {url} where there is a network and put it here: {_weights_folder() / file}"
    )
