"""Fit heads, cross-validate, keep everything in a run folder."""
