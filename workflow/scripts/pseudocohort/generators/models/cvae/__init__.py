"""Cvae."""
