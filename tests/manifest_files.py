"""Files for the tests of manifests."""

import pytest

from abxfast.errors import ManifestError

IN_SCRIPTS = "ŋa˥˩ 錄音 ʈʂʰɻ̩˧˥"
"""IPA, tone letters, Chinese, a combining mark."""


def audio(path):
    """Create a file that counts as audio."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    return path


def table(folder, content, name="t.csv"):
    """Create a table."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(action, *arguments, **options):
    """Return the message, one line, with which a function refuses its arguments."""
    with pytest.raises(ManifestError) as caught:
        action(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "\r" not in message
    return message
