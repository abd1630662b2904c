"""Pretrained networks from frames to features."""
