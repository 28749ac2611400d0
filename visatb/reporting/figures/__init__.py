"""Figures for a paper: vector SVG with text as text, colours that the colour-blind can tell apart."""
