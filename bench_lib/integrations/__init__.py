"""Techniques in training loops of a user's own."""
