"""Studies: one file that says what is asked, and a folder that holds what came of it.

``lines`` reads TOML with its lines; ``file`` checks a study by itself, ``selection`` against its recordings; ``init``
writes one. ``work`` says what is to be embedded, ``plan`` what that takes. ``run`` carries it out, ``step`` by step:
``inference`` (scores and how sure they are), ``confounds`` (of ``levels``), ``classification``, ``sentences``; all of it
ends in ``tables``, in a folder that ``results`` guards.
"""
