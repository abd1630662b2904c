"""All settings: frozen pydantic models in which an unknown key is an error."""

from vidclass.config.base import FrozenConfig
from vidclass.config.features import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.config.finetune import FinetuneConfig
from vidclass.config.mirror import MirrorConfig, parse_swap_labels
from vidclass.config.run import RunConfig
from vidclass.config.split import SplitConfig
from vidclass.config.task import TaskConfig
from vidclass.config.training import (
    AugmentConfig,
    TrainingConfig,
    parse_training_settings,
    training_setting_names,
)

__all__ = [
    "AugmentConfig",
    "FeatureConfig",
    "FinetuneConfig",
    "FrozenConfig",
    "GeometryConfig",
    "MirrorConfig",
    "RunConfig",
    "SamplingConfig",
    "SplitConfig",
    "TaskConfig",
    "TrainingConfig",
    "parse_swap_labels",
    "parse_training_settings",
    "training_setting_names",
]
