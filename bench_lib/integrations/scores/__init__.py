"""Scores of runs that were made elsewhere: reading, comparing and importing them."""
