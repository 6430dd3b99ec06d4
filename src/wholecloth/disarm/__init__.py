"""The DISARM framework as far as we decide between its techniques: ids, names, conditions."""
