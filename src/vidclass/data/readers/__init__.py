"""One file per format, each with a `READER` that `vidclass.data.sources` lists."""
