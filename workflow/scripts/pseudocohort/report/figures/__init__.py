"""Figures of the report, one module per evaluation, all drawn from tables."""
