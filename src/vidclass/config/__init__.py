"""All settings: frozen models in which an unknown key is an error."""

from vidclass.config.base import FrozenConfig
from vidclass.config.features import FeatureConfig, GeometryConfig, SamplingConfig
from vidclass.config.finetune import FinetuneConfig
from vidclass.config.run import RunConfig
from vidclass.config.split import SplitConfig
from vidclass.config.task import TaskConfig
from vidclass.config.training import AugmentConfig, TrainingConfig

__all__ = [
    "AugmentConfig",
    "FeatureConfig",
    "FinetuneConfig",
    "FrozenConfig",
    "GeometryConfig",
    "RunConfig",
    "SamplingConfig",
    "SplitConfig",
    "TaskConfig",
    "TrainingConfig",
]
