"""The one door to OpenVINO.

Its Python package reports usage to a server over the network from the moment it is imported, in a
forked process.  A classifier must not do that unasked; without the telemetry package, which is
hidden from it here, OpenVINO uses a stub of its own.
"""

from __future__ import annotations

import sys
from functools import cache

if "openvino" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov

__all__ = ["core", "ov"]


@cache
def core() -> ov.Core:
    """The one OpenVINO runtime of this process."""
    return ov.Core()
