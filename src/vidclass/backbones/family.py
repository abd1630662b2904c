"""The contract of a family of backbones: one source of pretrained networks from frames to features.

To add a family, subclass `BackboneFamily` and register the class: one of vidclass's own in the
table of `vidclass.backbones.registry`, one of your own by `register_backbone_family`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Literal

from vidclass.errors import ConfigError

Framework = Literal["keras", "torch"]
WeightsState = Literal["at hand", "to be installed", "to be fetched"]


@dataclass(frozen=True)
class Backbone:
    """A network from RGB frames in [0, 255] to features.

    Attributes:
        name: Public name.
        family: The family that builds it.
        size: Side of its square input, in pixels, that the weights were trained for.
        width: D, the width of its features.
        parameters: Number of parameters, without a classifier.
        window: Number of successive frames that make one feature vector.  For more than one the
            input is (B,window,H,W,3).
        licence: Licence of the published weights, as far as their source states it.
    """

    name: str
    family: BackboneFamily
    size: int
    width: int
    parameters: int
    window: int = 1
    licence: str = ""

    @property
    def framework(self) -> Framework:
        """Library the network is built with."""
        return self.family.framework

    @property
    def reference(self) -> Literal["numpy", "jax"]:
        """Keras back end whose numbers the OpenVINO form must give."""
        return self.family.reference

    @property
    def weights_state(self) -> WeightsState:
        """State of the published weights on this machine."""
        return self.family.weights_state(self.name)

    @property
    def weights_source(self) -> str:
        """Way in which missing published weights come to this machine, such as `by Keras`."""
        return self.family.weights_source(self.name)

    def build(self, *, size: int, weights: str) -> Any:
        """Build the network with its weights; see `BackboneFamily.build`."""
        self.family.require_libraries(self.name)
        return self.family.build(self.name, size=size, weights=weights, window=self.window)

    def build_arguments(self, *, size: int, weights: str) -> dict[str, Any]:
        """Return the arguments of `build_backbone`, plain JSON values for a child process."""
        arguments: dict[str, Any] = {"name": self.name, "size": size, "weights": weights}
        if self.window > 1:
            arguments["window"] = self.window
        if not self.family.import_path().startswith("vidclass."):
            arguments["family"] = self.family.import_path()
        return arguments

    def weights_id(self, weights: str) -> str:
        """Return a short text that changes when the numbers in the weights change."""
        return self.family.weights_id(self.name, weights)


class BackboneFamily(ABC):
    """One source of pretrained networks: how they are described, built and identified.

    A family is created without arguments, in this process and in child processes, which import it
    by module and name.  Its module must be quick to import: import frameworks inside the methods.

    In every method `name` is the full name of a backbone, and `weights` is `pretrained` for the
    published weights, `random` for reproducible random ones, or the path of a weights file, if the
    family reads any.

    Attributes:
        names: Backbones that are listed and can be given by their bare name.
        prefix: For any other backbone of the family, named `PREFIX:...`; empty if there is none.
        framework: `keras`, or `torch` for modules that take uint8 frames.
        reference: Keras back end whose numbers the OpenVINO form must give.
    """

    names: ClassVar[Sequence[str]] = ()
    prefix: ClassVar[str] = ""
    framework: ClassVar[Framework] = "keras"
    reference: ClassVar[Literal["numpy", "jax"]] = "numpy"

    @abstractmethod
    def describe(self, name: str) -> Backbone:
        """Return size, width, parameters, window and licence of a backbone.

        Raises:
            ConfigError: there is no such backbone, or a library is missing.
            WeightsError: the settings of the network cannot be read or fetched.
        """

    @abstractmethod
    def build(self, name: str, *, size: int, weights: str, window: int) -> Any:
        """Build the network with its preprocessing inside and its weights loaded.

        A Keras model takes float32 RGB (B,size,size,3) in [0, 255], or channels first if that is
        Keras's current image data format; a PyTorch module takes uint8 frames (B,size,size,3).  A
        network for windows has one more axis, (B,window,size,size,3).  Both return features (B,D).
        No frame may change the features of another row.

        Raises:
            ConfigError: the network does not take that size, or a library is missing.
            WeightsError: the weights are missing, or not this network's.
        """

    @abstractmethod
    def weights_id(self, name: str, weights: str) -> str:
        """Return a text that changes with the numbers of the network, quickly.

        It is part of the key of stored features and compiled networks, so it must also change when
        the family's own code begins to give other features.

        Raises:
            WeightsError: the weights are missing.
        """

    @abstractmethod
    def weights_state(self, name: str) -> WeightsState:
        """Return whether the published weights are on this machine; fetch nothing."""

    @abstractmethod
    def weights_source(self, name: str) -> str:
        """Return how missing published weights come to this machine, such as `by Keras`."""

    def require_libraries(self, name: str) -> None:  # noqa: B027  # most families need none
        """Raise a ConfigError that names the extra if an optional library is not installed."""

    @classmethod
    def import_path(cls) -> str:
        """Return `module:Class`, by which a child process imports the family."""
        return f"{cls.__module__}:{cls.__qualname__}"


def load_family(import_path: str) -> BackboneFamily:
    """Create the family at `module:Class`.

    Raises:
        ConfigError: it cannot be imported, or is no family of backbones.
    """
    module, _, name = import_path.partition(":")
    try:
        family = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the backbone family {import_path!r} cannot be imported: {error}. Define it at the "
            "top level of a module that Python finds from any folder: an installed one, or one on "
            "PYTHONPATH."
        ) from error
    if not (isinstance(family, type) and issubclass(family, BackboneFamily)):
        raise ConfigError(f"{import_path!r} is no subclass of BackboneFamily: {family!r}")
    return family()
