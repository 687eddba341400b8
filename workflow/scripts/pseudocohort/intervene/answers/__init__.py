"""Answers to questions: a table each, with its assumption, interval, baselines and refusals."""

from .base import Answer
from .dispatch import answer

__all__ = ["Answer", "answer"]
