"""Groups that only the files tell: copies of one video, and clips that are nearly the same."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePath

import polars as pl

from vidclass._core.text import counted, listed, quoted
from vidclass.config import SplitConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import VideoError
from vidclass.features.identity import identify
from vidclass.features.near_duplicates import NEAR, duplicate_groups
from vidclass.types import ClipFeatures
from vidclass.video.probe import probe


def regrouped(manifest: Manifest, config: SplitConfig) -> Manifest:
    """The groups that can be known without features: those of `config`, and copies.

    Where leaks are allowed, copies are not looked for.

    Raises:
        ConfigError: `groups` or `group_pattern` is not allowed.
        ManifestError: no clip gets a group from there.
    """
    known = manifest.regrouped(groups=config.groups, group_pattern=config.group_pattern)
    return known if config.allow_leak else join_copies(known)


def join_copies(manifest: Manifest) -> Manifest:
    """Let videos with the same bytes share a group; a note names them.

    Only files of the same size are read, and their content is remembered.  What cannot be read
    is left to the ledger of what reads it next: the same error page saved under many names is no
    video, and no leak.
    """
    contents = _readable(_contents_of(list(dict.fromkeys(manifest.table["video"]))))
    key = pl.Series([contents.get(video) for video in manifest.table["video"]], dtype=pl.String)
    merged, clips = manifest.with_merged_groups(
        key, name=lambda video: f"copies of {_short(video)}"
    )
    if not clips:
        return manifest
    same = pl.DataFrame({"video": list(contents), "key": list(contents.values())})
    copies = same.sort("video").group_by("key", maintain_order=True).agg(pl.col("video"))
    cases = [
        " = ".join(quoted(map(_short, videos))) for videos in copies["video"] if len(videos) > 1
    ]
    note = f"the same content under several names stays on one side: {listed(cases)}."
    return merged.with_notes(note)


def join_near_duplicates(
    manifest: Manifest, clips: Sequence[ClipFeatures | None], *, threshold: float = NEAR
) -> Manifest:
    """Let clips that are nearly the same share a group, with all of the groups they are in.

    Args:
        manifest: The clips.
        clips: Their features, in the manifest's order; None for a clip that has none.
        threshold: See `near_duplicates`.
    """
    before = manifest.group_ids.n_unique()
    numbers = pl.Series(duplicate_groups(clips, threshold=threshold))
    merged, joined = manifest.with_merged_groups(
        numbers, name=lambda video: f"like {_short(video)}"
    )
    now = merged.group_ids.n_unique()
    if now == before:
        return manifest.with_notes("no near duplicates were found outside the known groups.")
    note = (
        f"near duplicates joined {counted(joined, 'clip')}: {before} videos and groups to keep "
        f"apart became {now}."
    )
    return merged.with_notes(note)


def _contents_of(videos: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of each video that another one may equal."""
    sizes: dict[int, list[str]] = {}
    for video in videos:
        with suppress(OSError):
            facts = Path(video).stat()
            if stat.S_ISREG(facts.st_mode) and facts.st_size:
                sizes.setdefault(facts.st_size, []).append(video)
    alike = {Path(video): video for same in sizes.values() if len(same) > 1 for video in same}
    return {alike[done.item]: done.result.sha256 for done in identify(alike) if done.result}


def _readable(contents: dict[str, str]) -> dict[str, str]:
    """Those contents that several files share and that are videos."""
    files: dict[str, list[str]] = {}
    for video, key in contents.items():
        files.setdefault(key, []).append(video)
    shared = {key: same for key, same in files.items() if len(same) > 1 and _is_video(same[0])}
    return {video: key for key, same in shared.items() for video in same}


def _is_video(video: str) -> bool:
    try:
        probe(Path(video))
    except VideoError:
        return False
    return True


def _short(video: str) -> str:
    """A video's name with its folder."""
    return str(PurePath(*PurePath(video).parts[-2:]))
