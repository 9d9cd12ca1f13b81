"""Metrics of tasks, and what a constant predictor reaches."""
