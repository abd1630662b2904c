"""Extract features of clips and store them."""
