"""The same clips with other labels: several a clip, none of the classes, levels, unknown ones.

    python examples/kinds_of_labels.py ../shared/data/ucf11_9class/groups.csv labels/

Writes one CSV for each kind of classifier that docs/how-to/labels.md measures, out of nine classes
of UCF11.  Groups and folds stay those of the source.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import polars as pl

from vidclass import Manifest

# What can be seen in clips of each class; those of walking are of people who walk a dog.
ATTRIBUTES = {
    "basketball": "ball",
    "biking": "ride",
    "diving": "air|water",
    "golf_swing": "ball|implement",
    "horse_riding": "animal|ride",
    "soccer_juggling": "ball",
    "tennis_swing": "ball|implement",
    "trampoline_jumping": "air",
    "walking": "animal",
}
# A tree whose branches are of different length.
LEVELS = {
    "basketball": "ball/basketball",
    "biking": "ride/biking",
    "diving": "air/diving",
    "golf_swing": "ball/implement/golf_swing",
    "horse_riding": "ride/horse_riding",
    "soccer_juggling": "ball/soccer_juggling",
    "tennis_swing": "ball/implement/tennis_swing",
    "trampoline_jumping": "air/trampoline_jumping",
    "walking": "walking",
}
BACKGROUND = ("trampoline_jumping", "walking")
NONE = "background"


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="nine classes of UCF11, with groups and folds")
    parser.add_argument("out", type=Path, help="folder for the tables")
    given = parser.parse_args()
    table = Manifest.from_source(given.source).table
    given.out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables(table).items():
        rows.write_csv(given.out / f"{name}.csv")
        print(f"{given.out / name}.csv: {len(rows)} clips")


def tables(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """One table a kind, by name, from that of a manifest."""
    table = table.select("video", "label", "group", "fold")
    other = pl.col("label").is_in(BACKGROUND)
    held_out = pl.col("fold") == pl.col("fold").min()
    # In every other fold, for half of the classes each, clips are known by their parent alone.
    turn = pl.col("label").rank("dense").cast(pl.Int64) + pl.col("fold")
    coarse = table.select((turn % 2 == 0) & (pl.col("label") != "walking")).to_series()
    levels = relabelled(table, LEVELS.__getitem__)
    parents = relabelled(table, lambda label: LEVELS[label].split("/")[0])
    known = table.filter(~other).with_columns(
        split=pl.when(held_out).then(pl.lit("test")).otherwise(pl.lit(None, pl.String))
    )
    return {
        "several": relabelled(table, ATTRIBUTES.__getitem__),
        "none": relabelled(table, lambda label: NONE if label in BACKGROUND else label),
        "levels": levels,
        "levels_mixed": pl.concat([levels.filter(~coarse), parents.filter(coarse)]),
        "levels_fewer": levels.filter(~coarse),
        "known": known.drop("fold"),
        "known_and_other": table.filter(held_out | other).drop("fold"),
    }


def relabelled(table: pl.DataFrame, name: Callable[[str], str]) -> pl.DataFrame:
    """The same clips with other labels."""
    labels = [name(label) for label in table["label"]]
    return table.with_columns(pl.Series("label", labels))


if __name__ == "__main__":
    main()
