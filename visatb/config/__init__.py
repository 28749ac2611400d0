"""The schema of a config: every key once, with bounds, meaning and default; its loading; messages on mistakes."""
