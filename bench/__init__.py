"""Benchmarks: ratios of ways that take turns in one run. No test asserts a time."""
