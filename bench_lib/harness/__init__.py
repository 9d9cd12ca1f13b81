"""The one training loop that all techniques share; it knows hooks and no technique by name."""
