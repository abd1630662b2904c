"""The command line: parse, call, print, exit code.

Every command has a file of its own, light to import: what it calls and prints with is imported when
it runs. Tables and output that need more than that are in files of their own (`tables`,
`check_tables`, `sweep_tables`, `predictions`).
"""
