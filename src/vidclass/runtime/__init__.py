"""Run networks fast on this machine."""
