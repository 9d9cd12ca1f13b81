"""Where the data of tasks come from."""
