"""Sequential comparison of a technique with a baseline."""
