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

import numpy as np
import openvino as ov

# The bindings learn NumPy's types when the first array crosses them, holding two locks in no fixed
# order: two threads that do so at once can wait for one another for ever.  So it is done here,
# where only the importing thread is.
_ = ov.Tensor(np.zeros(1, np.float32)).data

__all__ = ["core", "ov"]


@cache
def core() -> ov.Core:
    """The one OpenVINO runtime of this process."""
    return ov.Core()
