"""The `flotilla` command: one file for each family of sub-commands."""
