"""vidclass on the same clips, in one process that has its network open.

    python benchmarks/variants/ours.py --clips TABLE --backbone InceptionV3 --precision int8 \
        --part extract

Parts: `extract`, all that `vidclass extract` does between the start of its process and its end,
into a new store: hashes, decoding, network, writing; `decode` alone; `network` alone, on frames
that are ready.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocol import save_features, take_stdout, timed, versions

import vidclass
from vidclass._core.parallel import run_each
from vidclass.data.clip import Clip
from vidclass.data.manifest import Manifest
from vidclass.features.decoding import decode_for
from vidclass.features.extract import Extraction, extract
from vidclass.features.extractor import FeatureExtractor, feature_extractor
from vidclass.features.pipeline import stream_features
from vidclass.types import FrameBatch

WARM_CLIPS = 4


def main() -> None:
    """Measure one part."""
    tell = take_stdout()
    arguments = parse()
    manifest = Manifest.from_source(arguments.clips)
    features = {
        name: getattr(arguments, name)
        for name in ("backbone", "weights", "precision", "frames", "size")
    }
    config = vidclass.run_config(features=features | {"policy": arguments.sampling}).features
    extractor = feature_extractor(config, manifest)
    part = {"extract": extract_part, "decode": decode_part, "network": network_part}
    result = part[arguments.part](manifest, extractor, arguments.features)
    tell(result | {"versions": versions("openvino", "av", "numpy")})


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", required=True)
    parser.add_argument("--part", choices=("extract", "decode", "network"), required=True)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--weights", default="pretrained")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--sampling", default="head")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--features", help="Keep the features in this file.")
    return parser.parse_args()


def extract_part(
    manifest: Manifest, extractor: FeatureExtractor, kept: str | None
) -> dict[str, Any]:
    """The whole way, with a network that is open already."""
    opened = extractor.open()
    extractor = replace(extractor, open=lambda: opened)
    with stored(Manifest(manifest.table.head(WARM_CLIPS)), extractor):
        pass
    started = time.perf_counter()
    with stored(manifest, extractor) as extraction:
        seconds = time.perf_counter() - started
        rows, clips = extraction.rows, extraction.readable
    if kept:
        videos = [manifest.clips()[row].video for row in rows]
        values = [clip.features.astype("float32") for clip in clips]
        save_features(kept, {str(path): value for path, value in zip(videos, values, strict=True)})
    frames = sum(len(clip.features) for clip in clips)
    return {"seconds": seconds, "clips": len(clips), "frames": frames}


@contextmanager
def stored(manifest: Manifest, extractor: FeatureExtractor) -> Iterator[Extraction]:
    """Extract into a store that is thrown away."""
    with tempfile.TemporaryDirectory() as store:
        yield extract(manifest, extractor, store_folder=Path(store))


def decode_part(manifest: Manifest, extractor: FeatureExtractor, _: str | None) -> dict[str, Any]:
    """Decoding alone, on all cores."""
    rows = manifest.clips()
    count_frames(decoded(rows[:WARM_CLIPS], extractor))
    return timed(lambda: {"clips": len(rows), "frames": count_frames(decoded(rows, extractor))})


def network_part(manifest: Manifest, extractor: FeatureExtractor, _: str | None) -> dict[str, Any]:
    """The network alone, fed as the extraction feeds it, on all cores."""
    network = extractor.open().network
    batches = list(decoded(manifest.clips(), extractor))

    def through(some: list[FrameBatch]) -> dict[str, Any]:
        with closing(stream_features(some, lambda batch: batch, network, video_of=id)) as done:
            made = [one.result for one in done if one.result is not None]
        return {"clips": len(made), "frames": sum(len(one.features.features) for one in made)}

    through(batches[:WARM_CLIPS])
    return timed(lambda: through(batches))


def decoded(rows: list[Clip], extractor: FeatureExtractor) -> Iterator[FrameBatch]:
    """The frames of each clip."""

    def decode(row: Clip) -> FrameBatch:
        return decode_for(extractor.config, row.video, row.span)

    with closing(run_each(decode, rows)) as all_done:
        yield from (done.result for done in all_done if done.result is not None)


def count_frames(batches: Iterable[FrameBatch]) -> int:
    """How many frames there are, none of them kept."""
    return sum(len(batch.frames) for batch in batches)


if __name__ == "__main__":
    main()
