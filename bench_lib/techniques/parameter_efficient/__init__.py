"""Parameter-efficient techniques."""
