"""What abxfast raises: each error says what was found, where, what was expected and what to do."""


class AbxfastError(Exception):
    """Something that the user can mend; its message is one line fit for a terminal."""


class AudioError(AbxfastError, ValueError):
    """A recording that cannot be decoded, or whose samples cannot be used."""


class ManifestError(AbxfastError, ValueError):
    """A list of recordings that cannot be used as it stands."""


class EncoderError(AbxfastError, ValueError):
    """An encoder that cannot be found or opened, or that breaks the contract."""


class StoreError(AbxfastError, ValueError):
    """A store that cannot be read, or that does not fit what is asked of it."""


class OutputError(AbxfastError, OSError):
    """A file that cannot be written."""


class TaskError(AbxfastError, ValueError):
    """An ABX task, or an option, that cannot be carried out on this data."""


class StudyError(AbxfastError, ValueError):
    """A study file that cannot be carried out as it stands."""


class MissingPackageError(AbxfastError, ImportError):
    """An optional package that this command needs and that is not installed."""


class ExportError(AbxfastError, ValueError):
    """A checkpoint that cannot become an encoder, or an encoder that is not good enough."""
