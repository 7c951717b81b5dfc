"""Studies: one file that says what is asked, and a folder that holds the answers.

A study file names recordings, encoders, snippet lengths and experiments. `plan_study` checks it and estimates what it
takes; `run_study` embeds what is missing, scores, tests and writes tables, figures and a page. Both can be repeated at
any time: what is done is kept.
"""

from abxfast.study.plan import StudyPlan, plan_study
from abxfast.study.run import RunReport, run_study
from abxfast.study.scaffold import DESIGNS, write_study

__all__ = [
    "DESIGNS",
    "RunReport",
    "StudyPlan",
    "plan_study",
    "run_study",
    "write_study",
]
