"""A model that grades answers: its prompt, its requests, its replies."""
