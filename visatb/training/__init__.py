"""Models, the weighted loss and the training loop around them."""
