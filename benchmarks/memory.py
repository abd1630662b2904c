"""Peak memory of `vidclass extract` against number of clips and length of videos.

    python benchmarks/memory.py --json memory.json

Clips and videos are generated.  Networks are built beforehand, by a first run that is not counted.
The figure is the peak memory of the process (Linux's VmHWM), libraries included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import (
    ChildError,
    conditions,
    make_clips,
    moving_frames,
    print_conditions,
    run_vidclass,
    table,
    write_table,
)

MOST_MB = 1500
# Peaks of the smallest and the largest run may differ by this much: buffers, not growth.
MOST_GROWTH = 1.15
FPS = 25


def main() -> None:
    """Measure and print tables."""
    options = parse()
    print_conditions(facts := conditions())
    with tempfile.TemporaryDirectory() as temp:
        work = options.work or Path(temp)
        (work / "logs").mkdir(parents=True, exist_ok=True)
        sources = [
            ("clips", many_clips(work, options.clips)),
            ("minutes", long_videos(work, options.minutes)),
        ]
        first = write_table(work / "first.csv", make_clips(work / "clips", 2, **SMALL))
        peaks: list[dict[str, Any]] = []
        for precision in options.precisions:
            extract(first, precision, options, work)
            for unit, tables in sources:
                for count, source in tables:
                    result = extract(source, precision, options, work)
                    peaks.append({"precision": precision, "unit": unit, "count": count, **result})
                    if options.json:
                        value = {"conditions": facts, "measured": peaks}
                        options.json.write_text(json.dumps(value, indent=1), encoding="utf-8")
    print(peaks_table(peaks), growth_table(peaks), sep="\n\n")


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--clips",
        type=numbers,
        default=[50, 500, 2000],
        help="numbers of clips, with commas",
    )
    add(
        "--minutes",
        type=numbers,
        default=[10, 60],
        help="lengths of a video, with commas",
    )
    add("--backbone", default="efficientnet_lite0")
    add("--weights", default="pretrained")
    add("--precisions", type=lambda text: text.split(","), default=["auto"])
    add("--work", type=Path, help="folder that keeps the generated files for the next call")
    add("--json", type=Path, help="write every measurement to this file")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """Return the numbers of a list separated by commas."""
    return [int(part) for part in text.split(",") if part]


SMALL: dict[str, Any] = {"frames": 30, "size": (120, 160)}


def many_clips(work: Path, counts: list[int]) -> Iterator[tuple[int, Path]]:
    """Yield tables of so many clips; smaller ones are subsets of larger ones."""
    for count in counts:
        clips = make_clips(work / "clips", count, **SMALL)
        yield count, write_table(work / f"{count}-clips.csv", clips)


def long_videos(work: Path, lengths: list[int]) -> Iterator[tuple[int, Path]]:
    """Yield tables of one video (H.264, 320x240) of so many minutes."""
    from vidclass.video.write import write_video

    for minutes in lengths:
        path = work / "long" / f"{minutes}-minutes.mp4"
        if not path.exists():
            frames = moving_frames(minutes * 60 * FPS, (240, 320), seed=minutes)
            write_video(path, frames, fps=FPS, codec="libx264", key_every=250)
        yield minutes, write_table(work / f"{minutes}-minutes.csv", [path])


def extract(source: Path, precision: str, options: argparse.Namespace, work: Path) -> Any:
    """Measure an extraction into an empty store; a failure is returned as `failed`."""
    settings = ["--backbone", options.backbone, "--weights", options.weights]
    settings += ["--precision", precision]
    log = work / "logs" / "extract.log"
    with tempfile.TemporaryDirectory() as store:
        try:
            return run_vidclass("extract", source, *settings, "--store", store, log=log)
        except ChildError as error:
            return {"failed": str(error)}


def peaks_table(peaks: list[dict[str, Any]]) -> str:
    """Return a table of all runs."""
    rows = []
    for one in peaks:
        run = (one["precision"], f"{one['count']} {one['unit']}")
        if "failed" in one:
            rows.append((*run, f"failed: {one['failed']}", "–", "–", "–"))
            continue
        met = "yes" if one["peak_mb"] <= MOST_MB else "no"
        seconds = f"{one['seconds']:.0f}"
        rows.append((*run, f"{one['peak_mb']:.0f}", f"≤ {MOST_MB}", met, seconds))
    return table(("precision", "extraction of", "peak MB", "target", "met", "seconds"), rows)


def growth_table(peaks: list[dict[str, Any]]) -> str:
    """Return a table of the largest run of each kind relative to the smallest."""
    rows = []
    kinds = dict.fromkeys((one["precision"], one["unit"]) for one in peaks if "failed" not in one)
    for precision, unit in kinds:
        runs = [p for p in peaks if (p["precision"], p["unit"]) == (precision, unit)]
        runs = sorted((p for p in runs if "failed" not in p), key=lambda one: one["count"])
        growth = runs[-1]["peak_mb"] / runs[0]["peak_mb"]
        name = f"{runs[-1]['count']} {unit} : {runs[0]['count']} {unit}"
        met = "yes" if growth <= MOST_GROWTH else "no"
        rows.append((precision, name, f"{growth:.2f}", f"≤ {MOST_GROWTH}", met))
    return table(("precision", "peak memory of", "ratio", "target", "met"), rows)


if __name__ == "__main__":
    main()
