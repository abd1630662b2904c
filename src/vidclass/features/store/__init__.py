"""Lance tables of extracted features."""

import os

# Lance warns on standard error of conflicts that the store expects and handles.
os.environ.setdefault("LANCE_LOG", "error")
