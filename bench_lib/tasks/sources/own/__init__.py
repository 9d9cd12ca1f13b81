"""Tasks of a user's own: a file that describes one, or a folder that says enough by itself."""
