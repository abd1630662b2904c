"""vidclass on the same clips, in one process with its network open.

    python benchmarks/variants/vidclass_pipeline.py --clips TABLE --backbone InceptionV3 \
        --precision int8 --part extract

Parts: `extract`, the work of `vidclass extract` into a new store: hashing, decoding, network,
writing; `decode` alone; `network` alone, on decoded frames.
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
    write_line = take_stdout()
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
    write_line(result | {"versions": versions("openvino", "av", "numpy")})


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", required=True)
    parser.add_argument("--part", choices=("extract", "decode", "network"), required=True)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--weights", default="pretrained")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--sampling", default="first")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--features", help="Save the features to this file.")
    return parser.parse_args()


def extract_part(
    manifest: Manifest, extractor: FeatureExtractor, features_file: str | None
) -> dict[str, Any]:
    """Measure the whole extraction with an open network."""
    opened = extractor.open()
    extractor = replace(extractor, open=lambda: opened)
    with stored(Manifest(manifest.table.head(WARM_CLIPS)), extractor):
        pass
    started = time.perf_counter()
    with stored(manifest, extractor) as extraction:
        seconds = time.perf_counter() - started
        rows, clips = extraction.rows, extraction.readable
    if features_file:
        videos = [manifest.clips()[row].video for row in rows]
        values = (clip.features.astype("float32") for clip in clips)
        save_features(features_file, dict(zip(map(str, videos), values, strict=True)))
    frames = sum(len(clip.features) for clip in clips)
    return {"seconds": seconds, "clips": len(clips), "frames": frames}


@contextmanager
def stored(manifest: Manifest, extractor: FeatureExtractor) -> Iterator[Extraction]:
    """Extract into a temporary store."""
    with tempfile.TemporaryDirectory() as store:
        yield extract(manifest, extractor, store_folder=Path(store))


def decode_part(manifest: Manifest, extractor: FeatureExtractor, _: str | None) -> dict[str, Any]:
    """Measure decoding alone, on all cores."""
    rows = manifest.clips()
    count_frames(decoded(rows[:WARM_CLIPS], extractor))
    return timed(lambda: {"clips": len(rows), "frames": count_frames(decoded(rows, extractor))})


def network_part(manifest: Manifest, extractor: FeatureExtractor, _: str | None) -> dict[str, Any]:
    """Measure the network alone, fed as by the extraction, on all cores."""
    network = extractor.open().network
    batches = list(decoded(manifest.clips(), extractor))

    def run_network(some: list[FrameBatch]) -> dict[str, Any]:
        with closing(stream_features(some, lambda batch: batch, network, video_of=id)) as done:
            clips = [each.result for each in done if each.result is not None]
        return {"clips": len(clips), "frames": sum(len(each.features.features) for each in clips)}

    run_network(batches[:WARM_CLIPS])
    return timed(lambda: run_network(batches))


def decoded(rows: list[Clip], extractor: FeatureExtractor) -> Iterator[FrameBatch]:
    """Yield the frames of each clip."""

    def decode(row: Clip) -> FrameBatch:
        return decode_for(extractor.config, row.video, row.span)

    with closing(run_each(decode, rows)) as all_done:
        yield from (done.result for done in all_done if done.result is not None)


def count_frames(batches: Iterable[FrameBatch]) -> int:
    """Return the number of frames, keeping none of them."""
    return sum(len(batch.frames) for batch in batches)


if __name__ == "__main__":
    main()
