"""Controlled stimuli with known answers."""
