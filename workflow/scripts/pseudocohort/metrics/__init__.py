"""Metrics of synthetic against real profiles."""
