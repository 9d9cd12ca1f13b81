"""Gradients, optimisers, averaging."""
