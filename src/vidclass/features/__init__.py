"""From clips to stored features."""
