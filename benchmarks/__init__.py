"""Measurements, as ratios within one run: the machines are noisy."""
