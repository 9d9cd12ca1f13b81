"""Changes of examples: which ones are taken, their labels and their words."""
