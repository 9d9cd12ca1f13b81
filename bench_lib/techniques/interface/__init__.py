"""What a technique is: its base, its hooks, what these act on, stacks and plug-ins."""
