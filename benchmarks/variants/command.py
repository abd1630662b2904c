"""A vidclass command, as from a shell, that leaves a note of what it took.

    python benchmarks/variants/command.py FACTS.json predict model.vidclass clip.avi

The note holds `peak_mb`, the largest memory the process itself ever held (Linux's VmHWM; processes
it started are in `children_peak_mb`), and `loaded`, which of the heavy libraries it imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAVY = ("keras", "jax", "openvino", "av", "lance", "polars", "sklearn", "matplotlib", "nncf")


def main() -> None:
    """Run the command, then write the note."""
    facts = Path(sys.argv[1])
    sys.argv[1:] = sys.argv[2:]
    sys.argv[0] = "vidclass"
    from vidclass.cli.main import main as run

    try:
        run()
    finally:
        facts.write_text(json.dumps(note()), encoding="utf-8")


def note() -> dict[str, object]:
    """What the process took until now."""
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
