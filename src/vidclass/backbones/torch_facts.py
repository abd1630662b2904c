"""Child process that measures width and parameters of a PyTorch model without its weights.

Run as `python -m vidclass.backbones.torch_facts FAMILY FOLDER NAME SIZE WINDOW`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from vidclass.backbones.facts import Facts
from vidclass.backbones.family import load_family
from vidclass.backbones.hub_files import CONFIG
from vidclass.backbones.torch_family import FACTS_MARK, TorchFamily
from vidclass.errors import ConfigError, VidclassError, WeightsError


def main(family: str, folder: str, name: str, size: str, window: str) -> None:
    """Print the facts, or the error that names what is wrong, as one line of JSON."""
    try:
        report = asdict(_measure(family, Path(folder), name, int(size), int(window)))
    except VidclassError as error:
        report = {"error": type(error).__name__, "message": str(error)}
    print(FACTS_MARK + json.dumps(report))


def _measure(import_path: str, folder: Path, name: str, size: int, window: int) -> Facts:
    family = load_family(import_path)
    if not isinstance(family, TorchFamily):
        raise ConfigError(f"{import_path!r} is no subclass of TorchFamily")
    family.require_libraries(name)
    import torch

    try:
        # Tensors of this device have shapes and no numbers: a large model costs nothing.
        with torch.device("meta"), torch.no_grad():
            network, extract = family.skeleton(folder, size=size)
            frames = [window] if window > 1 else []
            features = extract(network.eval(), torch.zeros(2, *frames, 3, size, size))
    except VidclassError:
        raise
    except Exception as error:  # models refuse settings in words of their own
        raise WeightsError(
            f"{name} cannot be built from {folder / CONFIG}, or takes no images of {size}x{size}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if features.ndim != 2:
        raise WeightsError(f"{name} gives features of shape {tuple(features.shape)}, not (B,D)")
    return Facts(int(features.shape[1]), sum(weight.numel() for weight in network.parameters()))


if __name__ == "__main__":
    main(*sys.argv[1:])
