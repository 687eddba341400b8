"""Held out level."""
