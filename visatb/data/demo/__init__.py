"""The demo corpus: scenes, what is asked about them, and their files."""
