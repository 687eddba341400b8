"""Camda."""
