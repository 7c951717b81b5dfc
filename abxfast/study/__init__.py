"""Studies: one file that says what is asked, and a folder that holds what came of it.

``lines`` reads TOML with its lines; ``file`` checks a study by itself, ``selection`` against its recordings; ``init``
writes one. ``work`` says what is to be embedded, ``plan`` what the study takes. ``run`` carries it out in
``pieces``, step by ``step``: ``inference`` scores and says how sure that is, ``rows`` lays it out, ``between`` compares
recordings one by one, for ``confounds`` (of their ``levels``) and ``classification``, ``sentences`` say what came of
it. It all ends in ``tables``, in a folder that ``results`` guards, with its ``provenance``.
"""
