"""Scores and truth -> metrics and the run's tables."""
