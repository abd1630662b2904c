"""Lance tables of extracted features."""
