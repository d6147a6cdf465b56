"""Measurements: ratios side by side in one run, never asserted by a timer in a test."""
