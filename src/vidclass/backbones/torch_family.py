"""The contract of families of PyTorch modules whose files lie on Hugging Face's hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import vidclass.errors
from vidclass._core.extras import require_extra
from vidclass._core.files import sha256_of
from vidclass.backbones import hub_files
from vidclass.backbones.facts import Facts, cached_facts
from vidclass.backbones.family import BackboneFamily, Framework, WeightsState
from vidclass.backbones.hub_files import CONFIG
from vidclass.errors import VidclassError, WeightsError

if TYPE_CHECKING:
    import torch

# Goes up when other features are taken from the same model.
FACTS_REVISION = 1
# Prefix of the line on which the child process reports.
FACTS_MARK = "facts: "

# Takes features (B,D) out of a network, given normalised images.
Features = Callable[["torch.nn.Module", "torch.Tensor"], "torch.Tensor"]


class TorchFamily(BackboneFamily):
    """A family whose models are folders on this machine or repositories on the hub.

    Attributes:
        libraries: Optional libraries that building a model needs.
        folder_files: Files that a folder of the user's must hold, for messages.
    """

    framework: ClassVar[Framework] = "torch"
    libraries: ClassVar[tuple[str, ...]]
    folder_files: ClassVar[str]

    @abstractmethod
    def location(self, name: str) -> str:
        """Return the folder or the repository on the hub of a backbone."""

    @abstractmethod
    def skeleton(self, folder: Path, *, size: int) -> tuple[torch.nn.Module, Features]:
        """Return the model with its initial weights, and what extracts its features."""

    def weights_state(self, name: str) -> WeightsState:
        """Return whether the weights are in the user's folder, or were fetched."""
        return hub_files.weights_state(self.location(name))

    def weights_source(self, name: str) -> str:
        """Return which file is missing in the folder, or what fetches it."""
        return hub_files.weights_source(self.location(name))

    def require_libraries(self, name: str) -> None:
        """Raise a ConfigError that names the extra if a library is not installed."""
        for library in self.libraries:
            require_extra(library, "torch", needed_by=f"the backbone {name}")

    def require_pretrained_or_random(self, name: str, weights: str) -> None:
        """Raise a WeightsError for a weights file: models are read from whole folders alone."""
        if weights not in ("pretrained", "random"):
            raise WeightsError(
                f"weights={weights!r} of {name} is neither 'pretrained' nor 'random'. To use your "
                f"own, put {self.folder_files} into a folder: backbone='{self.prefix}:FOLDER'"
            )

    def licence_page(self, name: str) -> str:
        """Return where the licence of a model is to be found."""
        own = hub_files.is_folder(self.location(name))
        return "see its folder" if own else "see its page on the hub"

    def measured_facts(self, folder: Path, *, name: str, size: int, window: int = 1) -> Facts:
        """Return width and parameters of the model in `folder`, measured once in a child process.

        PyTorch takes seconds to start and much memory; from then on the settings are enough.

        Args:
            folder: Folder with the settings of the model.
            name: Name of the backbone, for messages.
            size: Side of its images in pixels.
            window: Number of frames per feature vector.

        Raises:
            ConfigError: a library is not installed.
            WeightsError: no model can be built from the settings.
        """
        key = [FACTS_REVISION, self.import_path(), sha256_of(folder / CONFIG), size]
        arguments = [self.import_path(), str(folder), name, str(size), str(window)]
        return cached_facts(key, lambda: _measure_in_child(arguments))


def _measure_in_child(arguments: list[str]) -> Facts:
    # A family of the user's own is imported from where this process has it.
    paths = [os.environ.get("PYTHONPATH", ""), *sys.path]
    python_path = os.pathsep.join(path for path in paths if path)
    done = subprocess.run(  # noqa: S603  # our own module
        [sys.executable, "-m", "vidclass.backbones.torch_facts", *arguments],
        env=os.environ | {"PYTHONWARNINGS": "ignore", "PYTHONPATH": python_path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    reports = [line for line in done.stdout.splitlines() if line.startswith(FACTS_MARK)]
    if not reports:
        _, folder, name, *_ = arguments
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise WeightsError(
            f"{name} cannot be built from {Path(folder) / CONFIG} (exit code {done.returncode}):\n"
            f"{tail}"
        )
    report: dict[str, Any] = json.loads(reports[-1].removeprefix(FACTS_MARK))
    if "error" in report:
        kind: type[VidclassError] = getattr(vidclass.errors, report["error"])
        raise kind(report["message"])
    return Facts(**report)
