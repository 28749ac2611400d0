"""The page that answers "what if": other temperatures, shares and groups, without Python and without a network."""
