"""Interventions and therapeutic targets: operators, and the questions that a user asks of a study."""
