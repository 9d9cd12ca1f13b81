"""Adversarial and noise."""
