"""Importing the package first lets it choose Keras's back end for this whole process."""

from __future__ import annotations

import vidclass.backbones  # noqa: F401
