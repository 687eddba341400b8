"""Dp naive bayes."""
