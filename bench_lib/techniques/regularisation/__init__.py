"""Regularisation and parameter stability."""
