"""A trained classifier in one file."""
