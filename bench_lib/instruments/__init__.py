"""What is measured beside the score, and what keeps the score reproducible: context managers and value objects."""
