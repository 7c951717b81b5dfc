"""Studies: a TOML file that states which recordings are compared and how, and a folder with the results.

`write_study` writes a first study file (`scaffold`). `plan_study` checks it and estimates what it takes (`plan`, with
`embedding_estimate`, `scoring_estimate` and `throughput`). `run_study` embeds what is missing, scores, tests, and
writes tables, figures and a page; it can be stopped and resumed (`run`, which reports its `steps`). Both read the file
(`config`, on top of `toml_table` and `toml_lines`) and check it against manifest, recordings and encoders (`resolve`,
`selection`). A run then fills the stores (`embedding_jobs`) and goes through the analyses, one per experiment, encoder,
variant and snippet length (`analysis`, `cached_analysis`): `compute` scores one of them (`inference`,
`recording_pairs`) and returns its rows of the result tables (`table_rows`, `sentences`). `results_folder` and
`provenance` keep the rest of the folder.
"""

from abxfast.study.plan import StudyPlan, plan_study
from abxfast.study.run import RunReport, run_study
from abxfast.study.scaffold import DESIGNS, write_study
from abxfast.study.steps import StudyStep

__all__ = [
    "DESIGNS",
    "RunReport",
    "StudyPlan",
    "StudyStep",
    "plan_study",
    "run_study",
    "write_study",
]
