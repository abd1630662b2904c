"""Evaluation of a classifier on labelled clips."""
