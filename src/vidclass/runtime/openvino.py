"""The one door to OpenVINO.

Its Python package reports usage to a server over the network from the moment it is imported, in a
forked process.  A classifier must not do that unasked; without the telemetry package, which is
hidden from it here, OpenVINO uses a stub of its own.
"""

from __future__ import annotations

import sys
from functools import cache

import numpy as np

_CONVERTER = "openvino.tools.ovc"

if "openvino" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    # Its converter of models of other libraries is half of the time that the import takes.
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]

import openvino as ov  # noqa: E402  # once what it need not have is shut away

if sys.modules.get(_CONVERTER, ov) is None:
    del sys.modules[_CONVERTER]

# The bindings learn NumPy's types when the first array crosses them, holding two locks in no fixed
# order: two threads that do so at once can wait for one another for ever.  So it is done here,
# where only the importing thread is.
_ = ov.Tensor(np.zeros(1, np.float32)).data

__all__ = ["core", "ov"]


@cache
def core() -> ov.Core:
    """The one OpenVINO runtime of this process."""
    return ov.Core()
