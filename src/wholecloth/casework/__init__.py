"""Keeping what was found: output folders, the custody log, and checking both."""
