"""From validation scores to weights: the matrix V, contributions C, difficulties D, lambda and their intervals."""
