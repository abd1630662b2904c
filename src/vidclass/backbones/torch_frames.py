"""A PyTorch network behind its preprocessing, from frames to features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class FrameEncoder(torch.nn.Module):
    """Frames (B,H,W,3), or windows of them (B,T,H,W,3), uint8 RGB, to features (B,D).

    Args:
        network: From normalised pictures (B,3,H,W) or (B,T,3,H,W).
        features: Takes the features (B,D) out of what `network` is made to say of pictures.
        mean: Of each channel, in the unit of `scale` times a pixel.
        std: Of each channel, likewise.
        scale: What a pixel is multiplied by: as a rule 1/255.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        features: Callable[[Any, Any], Any],
        *,
        mean: list[float],
        std: list[float],
        scale: float,
    ) -> None:
        super().__init__()
        self.network = network
        self._features = features
        self._scale = scale
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, frames: Any) -> Any:
        """The features of frames."""
        pictures = (frames.to(torch.float32) * self._scale - self.mean) / self.std
        return self._features(self.network, pictures.movedim(-1, -3))
