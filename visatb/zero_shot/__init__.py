"""Benchmarks that nothing was trained for, through lmms-eval in an interpreter of its own."""
