"""Learning from instructions as well (L2T): sentences, task templates, what is supervised."""
