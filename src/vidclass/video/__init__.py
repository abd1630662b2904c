"""Read the frames of videos and image sequences, and write videos."""
