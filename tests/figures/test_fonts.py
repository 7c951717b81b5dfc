import logging

from abxfast.figures import choose_families, drawable, fonts


def test_characters_that_no_font_has_are_listed_in_one_warning(monkeypatch, caplog):
    monkeypatch.setattr(fonts, "_candidates", list)
    with caplog.at_level(logging.WARNING):
        families, missing = choose_families(["a ŋɑ˧.wav", "b 姐妹.wav"])
    assert (families, missing) == (["DejaVu Sans"], {"姐", "妹"})
    (message,) = [record.getMessage() for record in caplog.records if record.name == "abxfast.figures.fonts"]
    assert "姐 (U+59D0)" in message
    assert "\n" not in message


def test_ipa_needs_no_other_font(caplog):
    with caplog.at_level(logging.WARNING):
        assert choose_families(["ŋɑ˧ ʈʂʰɯ˩˥ ʁwɤ tsʰo ɖɯ hĩ ʐæ mv̩ ɬɑ β θ ɣ χ ʔ"]) == (["DejaVu Sans"], set())
    assert caplog.records == []


def test_line_breaks_and_changes_of_direction_are_removed():
    assert drawable("a\n\u202eb\x07c\u2028d\ud800", {"b"}) == "a □ c d "
