"""Benchmarks that nothing was trained for, answered and scored through lmms-eval."""
