"""The page: one self-contained HTML file, made from the findings, the figures and the catalogue."""
