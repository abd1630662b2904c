"""Models over time: features and mask to logits."""
