"""From an experiment to what each of its jobs depends on: what rules hand to programs."""
