"""Combination."""
