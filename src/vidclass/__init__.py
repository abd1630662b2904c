"""Turn a folder of labelled videos into a trained, honest, fast, deployable classifier.

>>> import vidclass
>>> manifest = vidclass.Manifest.from_source("clips")           # doctest: +SKIP
>>> run = vidclass.train(manifest, "run", vidclass.run_config())  # doctest: +SKIP
>>> vidclass.Classifier.load(run.bundle).predict("new.mp4")     # doctest: +SKIP
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidclass.version import __version__

if TYPE_CHECKING:
    from vidclass.audit.run import check
    from vidclass.bundle.read import Bundle
    from vidclass.data.manifest import Manifest
    from vidclass.evaluation.evaluate import evaluate
    from vidclass.features.extract import extract
    from vidclass.features.extractor import feature_extractor
    from vidclass.finetuning.finetune import finetune
    from vidclass.inference.classifier import Classifier
    from vidclass.sweeping.config import SweepConfig, SweepSpace
    from vidclass.sweeping.run import sweep
    from vidclass.training.crossval import cross_validate
    from vidclass.training.presets import run_config
    from vidclass.training.run import train

__all__ = [
    "Bundle",
    "Classifier",
    "Manifest",
    "SweepConfig",
    "SweepSpace",
    "__version__",
    "check",
    "cross_validate",
    "evaluate",
    "extract",
    "feature_extractor",
    "finetune",
    "run_config",
    "sweep",
    "train",
]

# Keras picks its back end once, when it is first imported; without a wish of the user's it would
# look for TensorFlow, which vidclass does not need.
os.environ.setdefault("KERAS_BACKEND", "jax")
# Lance would warn on standard error of what the feature store expects and deals with.
os.environ.setdefault("LANCE_LOG", "error")

_HOMES = {
    "Bundle": "vidclass.bundle.read",
    "Classifier": "vidclass.inference.classifier",
    "Manifest": "vidclass.data.manifest",
    "SweepConfig": "vidclass.sweeping.config",
    "SweepSpace": "vidclass.sweeping.config",
    "check": "vidclass.audit.run",
    "cross_validate": "vidclass.training.crossval",
    "evaluate": "vidclass.evaluation.evaluate",
    "extract": "vidclass.features.extract",
    "feature_extractor": "vidclass.features.extractor",
    "finetune": "vidclass.finetuning.finetune",
    "run_config": "vidclass.training.presets",
    "sweep": "vidclass.sweeping.run",
    "train": "vidclass.training.run",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that importing vidclass stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vidclass' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
