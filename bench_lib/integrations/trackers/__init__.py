"""Export of a store's runs to trackers of experiments."""
