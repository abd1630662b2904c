"""Use a bundle on new videos."""
