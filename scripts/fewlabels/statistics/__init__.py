"""Metrics, intervals, comparisons and variance components of per-image predictions; free of torch."""
