"""Download, verify and unpack public data sets by name."""
