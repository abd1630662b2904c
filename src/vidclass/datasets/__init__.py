"""Public data sets by name: download, verify, unpack."""
