"""Embedding: from audio files to a store."""
