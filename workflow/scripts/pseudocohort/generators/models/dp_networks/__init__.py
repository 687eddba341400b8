"""Dp networks."""
