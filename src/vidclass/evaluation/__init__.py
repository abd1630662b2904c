"""Honest numbers about a classifier."""
