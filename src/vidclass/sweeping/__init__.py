"""Accuracy against cost: many settings tried on the same folds, and a table of what they give."""
