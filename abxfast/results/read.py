"""Read a results folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from abxfast._notebook import format_html_table, plot_matrix, to_pandas
from abxfast.errors import StudyError
from abxfast.results.matrix import ResultKey, score_matrix, short_names
from abxfast.results.schema import FORMAT, RUN_FILE, TABLES, TABLES_FOLDER

_READ_ON_DEMAND = ("cells",)
"""Tables that may have millions of rows, and that neither figures nor the page need."""


@dataclass(frozen=True, repr=False)
class Results:
    """The results of a study, as `read_results` returns them; a notebook shows them as a table.

    Attributes
    ----------
    folder : Path
    run : dict
        Content of run.json: versions, hashes, encoders, experiments, failures.
    tables : dict of str to pyarrow.Table
        Result tables in long format, by name; all but ``cells``, which `to_pandas` reads when it is asked for.

    Examples
    --------
    >>> from abxfast import read_results
    >>> results = read_results("results")
    >>> results
    Results('results', title='Examples', experiments=['rooms'])

    The table ``summary`` has the mean score of each analysis, with its 95% confidence interval:

    >>> for row in results.tables["summary"].to_pylist():
    ...     print(f"{row['experiment']}, {row['encoder']}, {row['snippet_s']:g} s:", end=" ")
    ...     print(f"{row['score']:.2f} [{row['low']:.2f}, {row['high']:.2f}]")
    rooms, mfcc, 1 s: 0.71 [0.68, 0.74]

    The table ``pairs`` has the score of each pair, and a verdict. Which pairs differ?

    >>> for pair in results.tables["pairs"].to_pylist():
    ...     if pair["verdict"] == "different":
    ...         print(pair["a"], pair["b"])
    recordings/room-studio-1.wav recordings/room-hall-1.wav
    recordings/room-studio-1.wav recordings/room-hall-2.wav
    recordings/room-studio-2.wav recordings/room-hall-1.wav
    recordings/room-studio-2.wav recordings/room-hall-2.wav

    The data dictionary, ``results/tables/dictionary.json``, explains all tables and columns. In a notebook,
    ``results.to_pandas("pairs")`` returns a data frame, and ``results.plot()`` draws the score matrix.
    """

    folder: Path
    run: dict[str, Any]
    tables: dict[str, pa.Table]

    def groups(self, name: str) -> dict[ResultKey, pa.Table]:
        """Return the rows of a table by analysis, in order of first appearance."""
        table = self.tables[name]
        rows: dict[ResultKey, list[int]] = {}
        columns = [table[column].to_pylist() for column in ResultKey._fields]
        for number, key in enumerate(zip(*columns, strict=True)):
            rows.setdefault(ResultKey(*key), []).append(number)
        return {key: table.take(pa.array(numbers)) for key, numbers in rows.items()}

    def experiment(self, name: str) -> dict[str, Any]:
        """Return the description of an experiment in run.json; empty if it has none."""
        return next((row for row in self.run.get("experiments", ()) if row.get("name") == name), {})

    def default_variant(self, experiment: str, encoder: str) -> str:
        """Return the variant to show first: the encoder's default if it was scored, otherwise the first one."""
        summary = self.tables["summary"]
        rows = zip(*(summary[name].to_pylist() for name in ("experiment", "encoder", "variant")), strict=True)
        scored = [variant for *analysis, variant in rows if analysis == [experiment, encoder]]
        for description in self.run.get("encoders", ()):
            if description.get("name") == encoder and description.get("default_variant") in scored:
                return str(description["default_variant"])
        return str(scored[0]) if scored else ""

    def shown(self, name: str) -> dict[ResultKey, pa.Table]:
        """Return the rows of a table by analysis, of the default variants only."""
        groups = self.groups(name)
        default = {
            pair: self.default_variant(*pair) for pair in dict.fromkeys((key.experiment, key.encoder) for key in groups)
        }
        return {key: rows for key, rows in groups.items() if key.variant == default[key.experiment, key.encoder]}

    def to_pandas(self, name: str = "summary") -> Any:
        """Return a result table as a `pandas.DataFrame`.

        Parameters
        ----------
        name : str
            ``summary``, ``best_variants``, ``pairs``, ``cells``, ``self_baselines``, ``recordings``, ``copies``,
            ``confounds``, ``classification``, ``accuracy``, ``confusion``, ``listening`` or ``sentences``.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        StudyError
            If there is no such table.
        MissingPackageError
            If pandas is not installed.
        """
        if name not in TABLES:
            raise StudyError(f"`name`: found {name!r}, expected one of {', '.join(TABLES)}")
        return to_pandas(self.tables[name] if name in self.tables else _read_table(self.folder, name))

    def plot(
        self,
        experiment: str | None = None,
        snippet: float | str | None = None,
        encoder: str | None = None,
        variant: str | None = None,
    ) -> Any:
        """Draw the score matrix of one analysis.

        Rows are the values that A and X share, columns those of B, both ordered by clustering. A score is bold if the
        95% confidence interval of the mean of both directions excludes 0.5. On the diagonal is the self-baseline of
        each recording.

        Parameters
        ----------
        experiment : str, optional
            By default, the first one.
        snippet : float or str, optional
            Length in seconds, or ``"whole"``; by default, the first one.
        encoder : str, optional
            By default, the first one.
        variant : str, optional
            By default, the encoder's default variant.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        StudyError
            If there is no such analysis.
        MissingPackageError
            If matplotlib is not installed.
        """
        keys = list(self.groups("pairs"))
        if not keys:
            raise StudyError(f"{self.folder}: no pair has a score, so that there is nothing to draw")
        keys = _select(keys, "experiment", keys[0].experiment if experiment is None else experiment)
        keys = _select(keys, "encoder", keys[0].encoder if encoder is None else encoder)
        default = self.default_variant(keys[0].experiment, keys[0].encoder)
        keys = _select(keys, "variant", default if variant is None else variant)
        key = keys[0] if snippet is None else _select(keys, "snippet", snippet)[0]
        matrix = score_matrix(key, self.groups("pairs")[key], self.groups("self_baselines").get(key))
        title = f"{key.experiment} · {key.encoder} · {key.variant} · {key.length}"
        return plot_matrix(title, short_names(matrix.names), matrix.score, matrix.verdict)

    def __repr__(self) -> str:
        """Return folder, title and experiments in one line."""
        return f"Results({str(self.folder)!r}, title={self._title!r}, experiments={self._experiments})"

    def _repr_html_(self) -> str:
        """Return title, experiments and the table ``summary`` as HTML, for notebooks."""
        return format_html_table(self.tables["summary"], f"{self._title}: {', '.join(self._experiments)}")

    @property
    def _title(self) -> str:
        return str(self.run.get("title", ""))

    @property
    def _experiments(self) -> list[str]:
        return [str(row.get("name")) for row in self.run.get("experiments", ())]


def _select(keys: list[ResultKey], name: str, value: float | str) -> list[ResultKey]:
    """Return the analyses with a value of an argument of `Results.plot`; raise `StudyError` if there are none."""

    def argument(key: ResultKey) -> str:
        if name == "snippet":
            return "whole" if key.snippet_s is None else f"{key.snippet_s:g}"
        return str(getattr(key, name))

    wanted = value if isinstance(value, str) else f"{value:g}"
    selected = [key for key in keys if argument(key) == wanted]
    if not selected:
        known = ", ".join(dict.fromkeys(map(argument, keys)))
        raise StudyError(f"`{name}`: found {value!r}, expected one of {known}")
    return selected


def read_results(folder: str | Path) -> Results:
    """Read the results folder of a study.

    Parameters
    ----------
    folder : path
        The folder that `abxfast.run_study` wrote.

    Returns
    -------
    Results

    Raises
    ------
    StudyError
        If it is not a results folder, is incomplete, or was written in another format.

    Examples
    --------
    >>> from abxfast import read_results
    >>> results = read_results("results")
    >>> results.run["title"], results.run["seed"], results.run["permutations"]
    ('Examples', 0, 999)

    The table ``recordings`` holds what was measured on each file, beside the columns of the manifest:

    >>> for row in results.tables["recordings"].to_pylist():
    ...     print(f"{row['recording']}: {row['seconds']:.0f} s, noise {row['noise_db']:.0f} dB, {row['condition']}")
    recordings/room-studio-1.wav: 60 s, noise -69 dB, studio
    recordings/room-studio-2.wav: 60 s, noise -74 dB, studio
    recordings/room-hall-1.wav: 60 s, noise -34 dB, hall
    recordings/room-hall-2.wav: 60 s, noise -36 dB, hall
    """
    folder = Path(folder)
    path = folder / RUN_FILE
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StudyError(f"{folder}: no {RUN_FILE}; expected a results folder of `abxfast.run_study`") from error
    except ValueError as error:
        raise StudyError(f"{path}: not JSON ({error}); run `abxfast.run_study` again") from error
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        found = run.get("format") if isinstance(run, dict) else type(run).__name__
        raise StudyError(f"{path}: found format {found}, expected {FORMAT}; run `abxfast.run_study` again")
    return Results(folder, run, {name: _read_table(folder, name) for name in TABLES if name not in _READ_ON_DEMAND})


def _read_table(folder: Path, name: str) -> pa.Table:
    path = folder / TABLES_FOLDER / f"{name}.parquet"
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise StudyError(f"{path}: missing; run `abxfast.run_study` again") from error
    except (OSError, pa.ArrowException) as error:
        raise StudyError(f"{path}: cannot be read; delete it and run `abxfast.run_study` again") from error
