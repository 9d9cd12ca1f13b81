"""Baselines and controls."""
