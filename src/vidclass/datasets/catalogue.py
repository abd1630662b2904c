"""Catalogue of the public data sets that can be fetched by name."""

from __future__ import annotations

from dataclasses import dataclass

from rich.filesize import decimal


@dataclass(frozen=True)
class Archive:
    """One file of a data set.

    `size_bytes`, `sha256` and `md5` are None where nobody has published them: then the first
    download is taken on trust, and recorded, so that a later change can be seen.

    Attributes:
        url: Its address.
        size_bytes: Its size.
        sha256: Its SHA-256, in hexadecimal.
        md5: Its MD5, in hexadecimal.
        into: The subfolder of the data set for its contents; empty for the data set's own folder.
            A folder that wraps all of its contents is left out.
        nested: Whether it holds archives, each of which becomes a folder of its name.
    """

    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    into: str = ""
    nested: bool = False

    @property
    def name(self) -> str:
        """The file name."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    Attributes:
        name: Its name for `get_dataset`.
        title: A description of one line.
        archives: The files it is downloaded as.
        terms: Its licence, as far as its makers state one.
        classes: The number of classes.
        clips: The number of clips.
        contents: The layout of its folder.
        unknown_bytes: Approximate size of those archives whose size nobody has published.
    """

    name: str
    title: str
    archives: tuple[Archive, ...]
    terms: str
    classes: int
    clips: int
    contents: str
    unknown_bytes: int | None = None

    @property
    def download_bytes(self) -> int | None:
        """The approximate size of all archives; None where it is unknown."""
        sizes = [archive.size_bytes for archive in self.archives]
        if None in sizes and self.unknown_bytes is None:
            return None
        return sum(size for size in sizes if size is not None) + (self.unknown_bytes or 0)

    @property
    def size(self) -> str:
        """`download_bytes` as text."""
        if self.download_bytes is None:
            return "unknown"
        exact = all(archive.size_bytes is not None for archive in self.archives)
        return f"{'' if exact else 'about '}{decimal(self.download_bytes)}"


_YOUTUBE = (
    "No licence is stated. The clips come from YouTube and were collected by the University of "
    "Central Florida for research: clear any other use yourself."
)

_ALL = (
    DataSet(
        name="ucf101-top5",
        title="Five classes of UCF101, the subset of the Keras video classification example",
        archives=(
            Archive(
                "https://github.com/sayakpaul/Action-Recognition-in-TensorFlow/"
                "releases/download/v1.0.0/ucf101_top5.tar.gz"
            ),
        ),
        terms=_YOUTUBE,
        classes=5,
        clips=818,
        contents="train.csv and test.csv (video_name, tag), train/ with 594 clips and test/ "
        "with 224, AVI 320x240",
    ),
    DataSet(
        name="ucf101",
        title="UCF101: actions in YouTube clips, with three official splits",
        archives=(
            Archive("https://www.crcv.ucf.edu/data/UCF101/UCF101.rar", size_bytes=6_932_971_618),
            Archive(
                "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip",
                size_bytes=113_943,
                sha256="5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27",
                into="ucfTrainTestlist",
            ),
        ),
        terms=_YOUTUBE,
        classes=101,
        clips=13_320,
        contents="a folder for each class, AVI 320x240, and ucfTrainTestlist/ with the splits",
    ),
    DataSet(
        name="hmdb51",
        title="HMDB51: actions in clips of films and of the web, with three official splits",
        archives=(
            Archive(
                "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/hmdb51_org.rar",
                md5="517d6f1f19f215c45cdd4d25356be1fb",
                nested=True,
            ),
            Archive(
                "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/test_train_splits.rar",
                md5="15e67781e70dcfbdce2d7dbb9b3344b5",
                into="testTrainMulti_7030_splits",
            ),
        ),
        terms="Creative Commons Attribution 4.0, say its makers (Kuehne, Jhuang, Garrote, Poggio, "
        "Serre). The clips come from films and from YouTube, whose owners keep their rights.",
        classes=51,
        clips=6_766,
        contents="a folder for each class, AVI 240 lines high, and testTrainMulti_7030_splits/ "
        "with the splits",
        unknown_bytes=2_100_000_000,
    ),
    DataSet(
        name="ucf11",
        title="UCF11, the YouTube action set: 25 groups of each class",
        archives=(Archive("https://www.crcv.ucf.edu/data/UCF11_updated_mpg.rar"),),
        terms=_YOUTUBE,
        classes=11,
        clips=1_600,
        contents="a folder for each class, in it one for each group (v_biking_01), MPEG 320x240",
        unknown_bytes=1_050_000_000,
    ),
)

datasets: dict[str, DataSet] = {data_set.name: data_set for data_set in _ALL}


def dataset_rows() -> list[dict[str, str]]:
    """Return one table row per data set: name, title, classes, clips, size, contents, terms."""
    return [
        {
            "name": data_set.name,
            "title": data_set.title,
            "classes": str(data_set.classes),
            "clips": str(data_set.clips),
            "size": data_set.size,
            "contents": data_set.contents,
            "terms": data_set.terms,
        }
        for data_set in datasets.values()
    ]
