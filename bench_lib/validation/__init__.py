"""Whether techniques, data and machines are what they should be."""
