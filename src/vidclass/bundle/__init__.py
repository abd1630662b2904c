"""Bundle: a trained classifier in one file."""
