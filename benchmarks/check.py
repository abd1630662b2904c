"""Time of `vidclass data check` on as many clips as the five-class set of UCF101 has.

    python benchmarks/check.py --json check.json

Real clips (generated ones if there are none) are linked, or else copied, under new names into
class folders until there are enough.  A cold run has an empty cache folder, a warm one follows it;
files are in the page cache both times.  The fastest of several runs counts, as other load only
slows a run down; processor time hardly depends on it.
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
    """Measure and print tables."""
    options = parse()
    print_conditions(facts := conditions())
    with tempfile.TemporaryDirectory() as temp:
        work = Path(temp)
        source = linked_set(work / "set", options.source, options.clips, work / "generated")
        runs = measure(source, options, work)
    best = {name: min(run["seconds"] for run in several) for name, several in runs.items()}
    print(results_table(best, runs, options.clips))
    if options.json:
        value = {"conditions": facts, "clips": options.clips, "measured": runs}
        options.json.write_text(json.dumps(value, indent=1), encoding="utf-8")


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--source", type=Path, default=REAL_CLIPS, help="folder of classes")
    add("--clips", type=int, default=818)
    add("--repeats", type=int, default=2)
    add("--deep", action="store_true", help="also measure --deep, features stored")
    add("--json", type=Path, help="write every measurement to this file")
    return parser.parse_args()


def linked_set(folder: Path, source: Path, count: int, generated: Path) -> Path:
    """Fill a folder of classes with `count` clips, repeating those of the source as needed."""
    clips = find_clips(source, count, generated)
    for number, clip in enumerate(itertools.islice(itertools.cycle(clips), count)):
        target = folder / clip.parent.name / f"copy{number // len(clips)}_{clip.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(clip, target)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(clip, target)
    return folder


def cpu_s() -> float:
    """Return the processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(
    source: Path, options: argparse.Namespace, work: Path
) -> dict[str, list[dict[str, Any]]]:
    """Return the measurements of every run, by name."""
    runs: dict[str, list[dict[str, Any]]] = {}
    outputs = ["--report", work / "page.html", "--json", work / "check.json"]
    for repeat in range(options.repeats):
        cache = str(work / f"cache{repeat}")

        def run(name: str, *more: object, cache: str = cache) -> None:
            log = work / "check.log"
            arguments = ["data", "check", source, *outputs, *more]
            before_s = cpu_s()
            result = run_vidclass(*arguments, log=log, VIDCLASS_CACHE=cache)
            result["cpu_s"] = cpu_s() - before_s
            result["page_mb"] = (work / "page.html").stat().st_size / 1e6
            runs.setdefault(name, []).append(result)

        run("cold")
        run("warm")
        if options.deep:
            run("`--features`, nothing stored", "--features")
            run("warm, all features stored")
            run("`--deep`, features stored", "--deep")
    return runs


def results_table(best: dict[str, float], runs: dict[str, list[dict[str, Any]]], clips: int) -> str:
    """Return a table of the fastest runs; the target is for runs without --features or --deep."""
    rows = []
    for name, seconds in best.items():
        has_target = "--" not in name
        peak = max(run["peak_mb"] for run in runs[name])
        met = ("yes" if seconds <= MOST_S else "no") if has_target else ""
        target = f"≤ {MOST_S}" if has_target else "–"
        cpu = min(run["cpu_s"] for run in runs[name])
        page = runs[name][0]["page_mb"]
        row = (name, f"{seconds:.1f}", target, met, f"{cpu:.1f}", f"{peak:.0f}", f"{page:.1f}")
        rows.append(row)
    headers = [f"check of {clips} clips", "seconds", "target", "met", "processor seconds"]
    headers += ["peak MB", "page MB"]
    return table(headers, rows)


if __name__ == "__main__":
    main()
