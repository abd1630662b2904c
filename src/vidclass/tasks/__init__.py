"""Label tasks: single-label, multi-label and hierarchical classification."""
