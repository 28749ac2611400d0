"""Models behind an API: requests, their failures in words, what they may cost, what is sent."""
