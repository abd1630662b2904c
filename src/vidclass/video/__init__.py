"""From a file to the frames that are wanted."""
