"""Label tasks: from labels to targets, losses, decisions and metrics."""
