"""Unclip."""
