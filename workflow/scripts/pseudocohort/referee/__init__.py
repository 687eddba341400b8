"""The referee: likeness, use and privacy of anybody's synthetic cohort, by the study's own evaluations."""

from .auditing import Audit, audit

__all__ = ["Audit", "audit"]
