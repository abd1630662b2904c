"""One file per kind of source, each with a function from a path to `Rows`."""
