"""Ddpm."""
