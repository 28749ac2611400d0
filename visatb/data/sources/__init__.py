"""Published data sets, and how splits are made from them."""
