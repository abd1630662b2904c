"""Keys of stored features: they change with everything that changes the numbers."""

from __future__ import annotations

import hashlib
import json

from vidclass.config import FeatureConfig
from vidclass.features.networks import backbone_recipe
from vidclass.types import Span

FORMAT_VERSION = 1


def settings_fingerprint(config: FeatureConfig) -> str:
    """A key of everything but the clip: sampling, geometry, backbone, weights, versions."""
    parts = [FORMAT_VERSION, config.model_dump(mode="json"), backbone_recipe(config).fingerprint()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def clip_key(video_sha256: str, span: Span) -> str:
    """A key of one clip: the bytes of its video, whatever its name, and its span."""
    text = json.dumps([video_sha256, span.start_s, span.stop_s])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
