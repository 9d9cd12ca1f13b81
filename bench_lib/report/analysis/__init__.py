"""The numbers of the report: cells, their summaries, verdicts and comparisons."""
