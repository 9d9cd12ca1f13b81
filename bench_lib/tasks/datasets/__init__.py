"""The tasks, one data set each."""
