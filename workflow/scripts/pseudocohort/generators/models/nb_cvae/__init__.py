"""Nb cvae."""
