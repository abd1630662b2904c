"""What decodes videos here."""

from __future__ import annotations

import json

import av


def decoder_version() -> str:
    """PyAV and the FFmpeg libraries behind it: another one may read what this one cannot."""
    return json.dumps([av.__version__, av.library_versions], sort_keys=True)
