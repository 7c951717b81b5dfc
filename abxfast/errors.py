"""Errors: each message is one line that says what was found, where, what was expected and what to do."""


class AbxfastError(Exception):
    """Base of all errors that the user can correct.

    The message is one line, fit for a terminal. Every subclass is also the built-in exception that fits, such as
    `ValueError`.

    Examples
    --------
    >>> import abxfast
    >>> try:
    ...     abxfast.embed("recordings", "new.store", snippets=["ten"])
    ... except abxfast.AbxfastError as error:
    ...     print(error)
    `snippets`: found 'ten', expected seconds above 0, or 'whole'
    """


class AudioError(AbxfastError, ValueError):
    """A recording cannot be decoded, or its samples cannot be used."""


class ManifestError(AbxfastError, ValueError):
    """A manifest, or a folder of recordings, cannot be used."""


class EncoderError(AbxfastError, ValueError):
    """An encoder cannot be found or opened, or breaks the contract."""


class StoreError(AbxfastError, ValueError):
    """A store cannot be read or written, or does not fit the request."""


class OutputError(AbxfastError, OSError):
    """A file cannot be written."""


class TaskError(AbxfastError, ValueError):
    """An ABX task, or a parameter of it, does not fit the data."""


class StudyError(AbxfastError, ValueError):
    """A study file, or the results of a study, cannot be used."""


class ClusterError(AbxfastError, RuntimeError):
    """A cluster cannot be used: its scheduler, its workers, or the file that describes it."""


class ClusterLostError(ClusterError, ConnectionError):
    """The scheduler is gone; what the workers had finished is kept."""


class MissingPackageError(AbxfastError, ImportError):
    """An optional package is required but not installed."""


class ExportError(AbxfastError, ValueError):
    """A checkpoint cannot be exported, or the exported encoder is not accurate enough."""
