"""From samples to batches: the collator, packing, attention by sample."""
