"""Planning, executing and resuming runs, and building seed ensembles."""
