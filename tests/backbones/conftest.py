"""Importing vidclass first lets it choose Keras's back end for this whole process."""

from __future__ import annotations

import vidclass  # noqa: F401
