"""The suite in the tools of its users: their Trainer or loop, their runs, their trackers."""
