"""Results: the tables of a study, written and read."""
