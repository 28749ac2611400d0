"""What an experiment consists of: tasks, groups, runs, what exists already, how far it is."""
