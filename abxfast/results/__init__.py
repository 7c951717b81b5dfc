"""Results: the tables of a study, described by one schema, written and read here.

Each table is written as CSV, Parquet and JSON, with a data dictionary beside them; `read_results` reads them back for
figures, the page and notebooks.
"""

from abxfast.results.read import ResultKey, Results, ScoreMatrix, read_results, score_matrix, short_names
from abxfast.results.schema import TABLES, Row, write_tables

__all__ = [
    "TABLES",
    "ResultKey",
    "Results",
    "Row",
    "ScoreMatrix",
    "read_results",
    "score_matrix",
    "short_names",
    "write_tables",
]
