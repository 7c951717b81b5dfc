"""Scoring: from vectors to ABX scores."""
