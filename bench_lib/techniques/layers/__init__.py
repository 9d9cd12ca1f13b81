"""Which layers, and how fast."""
