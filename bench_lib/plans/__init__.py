"""Plan files: what is to be run for a set of results, in which order, and how far it is."""
