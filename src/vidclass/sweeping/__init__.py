"""Sweep over settings: accuracy against cost, every combination on the same folds."""
