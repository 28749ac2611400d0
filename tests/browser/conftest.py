"""Pages in a real browser."""

from browsing import browser, visit

__all__ = ["browser", "visit"]
