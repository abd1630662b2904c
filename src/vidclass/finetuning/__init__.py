"""Train a backbone and its head together, from pixels."""
