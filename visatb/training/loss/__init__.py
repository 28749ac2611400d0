"""The weighted loss (Eq. 2) and the methods that move its weights."""
