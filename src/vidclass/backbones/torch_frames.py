"""A PyTorch network behind its preprocessing, from frames to features."""

from __future__ import annotations

import torch

from vidclass.backbones.torch_family import Features


class FrameEncoder(torch.nn.Module):
    """Module from frames (B,H,W,3), or windows of them (B,T,H,W,3), uint8 RGB, to features (B,D).

    Args:
        network: Takes normalised images (B,3,H,W) or (B,T,3,H,W).
        features: Extracts the features (B,D) of images from `network`.
        mean: Mean of each channel, of pixels multiplied by `scale`.
        std: Standard deviation of each channel, likewise.
        scale: Factor of pixels in [0, 255], as a rule 1/255.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        features: Features,
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

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the features of frames."""
        images = (frames.to(torch.float32) * self._scale - self.mean) / self.std
        return self._features(self.network, images.movedim(-1, -3))
