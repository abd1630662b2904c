"""Logits of I3D on the authors' sample clip, beside the published ones.

    python benchmarks/i3d_sample.py ../shared/reference/kinetics_i3d/v_CricketShot_g04_c01_rgb.gif

The clip is a GIF of 79 frames of 224x224 pixels.  It needs the RGB weights, which are downloaded
if missing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from vidclass.backbones import load_i3d
from vidclass.backbones.i3d.family import kinetics_labels
from vidclass.errors import VidclassError

TOP = 5
# Sums of the logits of the RGB and the Flow network.
PUBLISHED = {
    "playing cricket": 41.8137,
    "hurling (sport)": 21.494,
    "catching or throwing baseball": 20.1341,
    "catching or throwing softball": 19.2256,
}
PUBLISHED_NORM = 138.468643


def main() -> None:
    """Print the top classes of the RGB network, and the published ones of both networks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gif", type=Path)
    with Image.open(parser.parse_args().gif) as image:
        frames = np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(image)])
    try:
        model = load_i3d("i3d_rgb", frames=len(frames), classes=True)
    except VidclassError as error:
        raise SystemExit(f"error: {error}") from error
    logits = np.asarray(model.predict(frames[None].astype(np.float32), verbose=0))[0]
    exps = np.exp(logits - logits.max())
    print(f"{len(frames)} frames; RGB alone, norm of the logits {np.linalg.norm(logits):.3f}")
    labels = kinetics_labels()
    for index in (-logits).argsort()[:TOP]:
        print(f"  {labels[index]}: logit {logits[index]:.4f}, {exps[index] / exps.sum():.2%}")
    print(f"published, RGB and Flow together: norm {PUBLISHED_NORM}")
    for label, logit in PUBLISHED.items():
        print(f"  {label}: logit {logit}")


if __name__ == "__main__":
    main()
