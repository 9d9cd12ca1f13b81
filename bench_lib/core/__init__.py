"""What everything else is built on: errors, names, seeds, settings, and what a run and its record are."""
