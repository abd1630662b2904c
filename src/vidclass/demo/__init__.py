"""Demo of the full pipeline on generated clips."""
