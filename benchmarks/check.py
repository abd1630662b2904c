"""Time of `vidclass data check` on as many clips as the five-class set of UCF101 has.

    python benchmarks/check.py --json check.json

Real clips (or, where there are none, made ones) are linked, else copied, under new names into
class folders until there are enough of them.  Cold is a run with an empty cache folder, warm one
after it; files are in the system's memory both times.  The best of some repeats counts, as other
work on the machine only ever adds to it; processor seconds hardly depend on that.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

from measuring import REAL_CLIPS, conditions, find_clips, print_conditions, run_vidclass, table

MOST_S = 20


def main() -> None:
    """Measure, then print."""
    options = parse()
    print_conditions(facts := conditions())
    with tempfile.TemporaryDirectory() as temp:
        work = Path(temp)
        source = linked_set(work / "set", options.source, options.clips, work / "made")
        runs = measure(source, options, work)
    best = {name: min(run["seconds"] for run in taken) for name, taken in runs.items()}
    print(results_table(best, runs, options.clips))
    if options.json:
        value = {"conditions": facts, "clips": options.clips, "measured": runs}
        options.json.write_text(json.dumps(value, indent=1), encoding="utf-8")


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", type=Path, default=REAL_CLIPS, help="a folder of classes")
    add("--clips", type=int, default=818)
    add("--repeats", type=int, default=2)
    add("--deep", action="store_true", help="also measure --deep, features stored")
    add("--json", type=Path, help="every single measurement")
    return parser.parse_args()


def linked_set(folder: Path, source: Path, count: int, made: Path) -> Path:
    """A folder of classes with `count` clips, each of the source's as often as needed."""
    clips = find_clips(source, count, made)
    for number, clip in enumerate(itertools.islice(itertools.cycle(clips), count)):
        target = folder / clip.parent.name / f"copy{number // len(clips)}_{clip.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(clip, target)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(clip, target)
    return folder


def cpu_s() -> float:
    """The processor time of all processes that were run and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(
    source: Path, options: argparse.Namespace, work: Path
) -> dict[str, list[dict[str, Any]]]:
    """Every run, by name."""
    runs: dict[str, list[dict[str, Any]]] = {}
    outputs = ["--report", work / "page.html", "--json", work / "check.json"]
    for repeat in range(options.repeats):
        cache = str(work / f"cache{repeat}")

        def take(name: str, *more: object, cache: str = cache) -> None:
            log = work / "check.log"
            arguments = ["data", "check", source, *outputs, *more]
            before_s = cpu_s()
            taken = run_vidclass(*arguments, log=log, VIDCLASS_CACHE=cache)
            taken["cpu_s"] = cpu_s() - before_s
            taken["page_mb"] = (work / "page.html").stat().st_size / 1e6
            runs.setdefault(name, []).append(taken)

        take("cold")
        take("warm")
        if options.deep:
            take("`--features`, nothing stored", "--features")
            take("warm, all features stored")
            take("`--deep`, features stored", "--deep")
    return runs


def results_table(best: dict[str, float], runs: dict[str, list[dict[str, Any]]], clips: int) -> str:
    """The best of each kind; the target is for runs that make no features and decode a part."""
    rows = []
    for name, seconds in best.items():
        aimed = "--" not in name
        peak = max(run["peak_mb"] for run in runs[name])
        met = ("yes" if seconds <= MOST_S else "no") if aimed else ""
        target = f"≤ {MOST_S}" if aimed else "–"
        cpu = min(run["cpu_s"] for run in runs[name])
        page = runs[name][0]["page_mb"]
        row = (name, f"{seconds:.1f}", target, met, f"{cpu:.1f}", f"{peak:.0f}", f"{page:.1f}")
        rows.append(row)
    headers = [f"check of {clips} clips", "seconds", "target", "met", "processor seconds"]
    headers += ["peak MB", "page MB"]
    return table(headers, rows)


if __name__ == "__main__":
    main()
