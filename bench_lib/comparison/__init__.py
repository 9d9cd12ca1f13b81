"""A technique against a baseline, in looks, until the verdict is sure."""
