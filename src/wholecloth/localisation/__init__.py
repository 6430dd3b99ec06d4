"""Tampering localisation: where the published picture departs from what its original predicts."""
