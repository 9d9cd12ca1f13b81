"""Compression, after training."""
