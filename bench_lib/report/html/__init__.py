"""The page: one self-contained HTML file, built from the summary, the figures and the catalogue."""
