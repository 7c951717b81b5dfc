"""Clusters: embedding and scoring with the workers of a Dask cluster.

The client cuts the work into tasks, follows them and tries again what was lost. Workers read recordings and vectors,
and write into the store. Results are those of one machine.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import lazy_loader

from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from abxfast.cluster.connection import connect
    from abxfast.cluster.embed import embed_on_cluster
    from abxfast.cluster.score import score_on_cluster

__all__ = ["connect", "embed_on_cluster", "score_on_cluster"]

if find_spec("distributed") is None:
    raise MissingPackageError(
        "`cluster` needs Dask, which is not installed: pip install 'abxfast[cluster]', here and on the workers"
    )

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={"connection": ["connect"], "embed": ["embed_on_cluster"], "score": ["score_on_cluster"]},
)
