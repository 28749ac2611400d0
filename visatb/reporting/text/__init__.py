"""The plan, the status and the summary as text."""
