"""Records, samples and mixtures: what a run is trained and evaluated on."""
