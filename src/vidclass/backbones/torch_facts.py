"""Width and parameters of a PyTorch model, found in a child process without its weights.

Run as `python -m vidclass.backbones.torch_facts FAMILY FOLDER NAME SIZE WINDOW`.  PyTorch takes
seconds to start and much memory, so what was found is kept; from then on the model's settings are
enough.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import vidclass.errors
from vidclass._core.files import sha256_of
from vidclass.backbones.facts import Facts, cached_facts
from vidclass.backbones.hub_files import CONFIG
from vidclass.errors import VidclassError, WeightsError

# Goes up when other features are taken from the same model.
REVISION = 1
_MARK = "facts: "


def facts_of(family: str, folder: Path, *, name: str, size: int, window: int = 1) -> Facts:
    """The facts of the model in `folder`, from the cache or found now, which takes some seconds.

    Args:
        family: The module in vidclass.backbones whose `skeleton(folder)` makes the model.
        folder: Holds its settings.
        name: The backbone, for messages.
        size: The side of its pictures.
        window: How many of them it sees at once.

    Raises:
        ConfigError: a library is not installed.
        WeightsError: the settings are of no model that can be made.
    """
    key = [REVISION, family, sha256_of(folder / CONFIG), size]
    return cached_facts(key, lambda: _found(family, folder, name, size, window))


def _found(family: str, folder: Path, name: str, size: int, window: int) -> Facts:
    done = subprocess.run(  # noqa: S603  # our own module
        [sys.executable, "-m", __name__, family, str(folder), name, str(size), str(window)],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    said = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not said:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise WeightsError(
            f"{name} cannot be made from {folder / CONFIG} (exit code {done.returncode}):\n{tail}"
        )
    value = json.loads(said[-1].removeprefix(_MARK))
    if "error" in value:
        kind: type[VidclassError] = getattr(vidclass.errors, value["error"])
        raise kind(value["message"])
    return Facts(**value)


def main(family: str, folder: str, name: str, size: str, window: str) -> None:
    """Print the facts, or the error that names what is wrong."""
    try:
        value = asdict(_measured(family, Path(folder), name, int(size), int(window)))
    except VidclassError as error:
        value = {"error": type(error).__name__, "message": str(error)}
    print(_MARK + json.dumps(value))


def _measured(family: str, folder: Path, name: str, size: int, window: int) -> Facts:
    module = import_module(f"vidclass.backbones.{family}")
    module.require_libraries(name)
    import torch

    try:
        # Tensors of this device have shapes and no numbers: a large model costs nothing.
        with torch.device("meta"), torch.no_grad():
            network, features = module.skeleton(folder, size=size)
            frames = [window] if window > 1 else []
            made = features(network.eval(), torch.zeros(2, *frames, 3, size, size))
    except VidclassError:
        raise
    except Exception as error:  # models refuse settings in words of their own
        raise WeightsError(
            f"{name} cannot be made from {folder / CONFIG}, or takes no pictures of {size}x{size}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if made.ndim != 2:
        raise WeightsError(f"{name} gives features of shape {tuple(made.shape)}, not (B,D)")
    return Facts(int(made.shape[1]), sum(weight.numel() for weight in network.parameters()))


if __name__ == "__main__":
    main(*sys.argv[1:])
