"""The names of the metrics, apart from their code, so that a config can be checked without loading it."""

METRIC_NAMES = ("EM", "IoU", "mean_IoU", "CIDEr", "CIDEr-PTB", "GLEU")
BOX_METRICS = ("IoU", "mean_IoU")
