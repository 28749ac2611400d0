"""What runs scored: metrics, per-sample scores, their pairing and standard errors, Eq. 9, the benchmark table."""
