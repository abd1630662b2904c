"""The family of KerasHub's image backbones: `hub:PRESET`, `hub:FOLDER`, `hub:hf://ORG/NAME` ..."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from vidclass._core.files import sha256_of
from vidclass.backbones.facts import Facts, cached_facts
from vidclass.backbones.family import Backbone, BackboneFamily, WeightsState
from vidclass.backbones.hub_files import CONFIG, is_folder
from vidclass.backbones.keras_hub.network import (
    open_branches,
    preset_size,
    resize_positions,
    untrained_model,
)
from vidclass.backbones.keras_hub.presets import (
    location_of,
    preset_file,
    preset_id,
    require_keras_hub,
    weight_files,
    weights_at_hand,
)
from vidclass.backbones.keras_weights import file_or_random_id, load_weights_file, randomise

if TYPE_CHECKING:
    import keras

# Goes up when the same files begin to give other features.
REVISION = 1


class KerasHub(BackboneFamily):
    """Image backbones of KerasHub, behind the scale and offset that their preset carries."""

    prefix = "hub"
    # To learn the shapes of KerasHub's layers, Keras runs them on 83 images under NumPy.
    reference = "jax"

    def describe(self, name: str) -> Backbone:
        """Return the facts of a preset; its settings are fetched if need be."""
        size = preset_size(name)
        config = sha256_of(preset_file(name, CONFIG))
        key = ["keras_hub", REVISION, _version(), config, size]
        facts = cached_facts(key, lambda: _measure(name, size))
        own = is_folder(location_of(name))
        licence = "see its folder" if own else "see its page on the hub"
        return Backbone(name, self, size, facts.width, facts.parameters, licence=licence)

    def build(self, name: str, *, size: int, weights: str, window: int = 1) -> keras.Model:
        """Build the network behind its preset's scale and offset, with pooled features."""
        model, network = untrained_model(name, size)
        if weights == "random":
            randomise(network)
            open_branches(network)
        else:
            # Sharded weights are read by their index, which is the first file.
            pretrained = weights == "pretrained"
            path = str(weight_files(name)[0]) if pretrained else weights
            load_weights_file(network, name, path)
            resize_positions(network)
        return model

    def weights_id(self, name: str, weights: str) -> str:
        """Return KerasHub's version, and checksums of the preset's files and the weights file."""
        pretrained = weights == "pretrained"
        parts = [f"hub-{REVISION}-{_version()}", preset_id(name, weights=pretrained)]
        return "-".join(parts if pretrained else [*parts, file_or_random_id(name, weights)])

    def weights_state(self, name: str) -> WeightsState:
        """Return whether the weights are in the user's folder, or were fetched."""
        return "at hand" if weights_at_hand(name) else "to be fetched"

    def weights_source(self, name: str) -> str:
        """Return which file is missing in the folder, or what fetches it."""
        location = location_of(name)
        if is_folder(location):
            return f"by putting model.weights.h5 into {location}"
        client = "huggingface_hub" if location.startswith("hf://") else "kagglehub"
        return f"by {client} (pip install 'vidclass[hub]'), when it is first used"

    def require_libraries(self, name: str) -> None:
        """Raise a ConfigError that names the extra if KerasHub cannot be imported."""
        require_keras_hub(name)


def _version() -> str:
    try:
        return version("keras-hub")
    except PackageNotFoundError:
        return "missing"


def _measure(name: str, size: int) -> Facts:
    require_keras_hub(name)
    import keras

    layout = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        model, network = untrained_model(name, size)
    finally:
        keras.config.set_image_data_format(layout)
    facts = Facts(int(model.output.shape[-1]), int(network.count_params()))
    del model, network
    keras.utils.clear_session(free_memory=True)
    return facts
