"""Results: the tables of a study, described by one schema, written and read here.

`TABLES` names every table and column with its type and meaning. `write_tables` writes each table as CSV, Parquet and
JSON, with a data dictionary beside them; `read_results` reads them back for figures, the page and notebooks.
"""

from abxfast.results.matrix import ResultKey, ScoreMatrix, score_matrix, short_names
from abxfast.results.read import Results, read_results
from abxfast.results.schema import (
    FORMAT,
    PARTIAL_FOLDER,
    RUN_FILE,
    STUDY_FILE,
    TABLES,
    TABLES_FOLDER,
    Column,
    TableSchema,
)
from abxfast.results.write import Row, write_tables

__all__ = [
    "FORMAT",
    "PARTIAL_FOLDER",
    "RUN_FILE",
    "STUDY_FILE",
    "TABLES",
    "TABLES_FOLDER",
    "Column",
    "ResultKey",
    "Results",
    "Row",
    "ScoreMatrix",
    "TableSchema",
    "read_results",
    "score_matrix",
    "short_names",
    "write_tables",
]
