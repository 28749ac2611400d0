"""Tables, figures and texts that people read."""
