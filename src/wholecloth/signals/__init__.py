"""Signals: each one way of looking for evidence, all through the same entry-point door."""
