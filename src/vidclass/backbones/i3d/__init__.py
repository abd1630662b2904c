"""I3D with the weights that its authors published."""
