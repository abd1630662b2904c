"""Run a vidclass command as from a shell and record its memory and imports.

    python benchmarks/variants/command.py FACTS.json predict model.vidclass clip.avi

The record holds `peak_mb`, the peak memory of the process itself (Linux's VmHWM; that of its
children is `children_peak_mb`), and `loaded`, the heavy libraries it imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAVY = ("keras", "jax", "openvino", "av", "lance", "polars", "sklearn", "matplotlib", "nncf")


def main() -> None:
    """Run the command, then write the record."""
    facts = Path(sys.argv[1])
    sys.argv[1:] = sys.argv[2:]
    sys.argv[0] = "vidclass"
    from vidclass.cli.main import main as run

    try:
        run()
    finally:
        facts.write_text(json.dumps(record()), encoding="utf-8")


def record() -> dict[str, object]:
    """Return the peak memory and the imported libraries of this process."""
    import resource

    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    children_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "peak_mb": peak_kb / 1024,
        "children_peak_mb": children_kb / 1024,
        "loaded": [name for name in HEAVY if name in sys.modules],
    }


if __name__ == "__main__":
    main()
