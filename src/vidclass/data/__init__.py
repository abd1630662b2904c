"""From a source of labelled videos to a checked manifest and leak-free splits."""
