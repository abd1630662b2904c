"""`python -m vidclass`."""

from vidclass.cli.main import main

main()
