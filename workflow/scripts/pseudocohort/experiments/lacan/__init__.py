"""Lacan."""
