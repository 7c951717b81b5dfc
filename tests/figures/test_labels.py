from abxfast.figures import settings
from abxfast.figures.labels import fit_text, text_width_mm


def test_a_long_name_keeps_both_ends_and_fits():
    with settings(["DejaVu Sans"]):
        short = fit_text("a-recording-of-a-long-tale-2018-12", 6, 20)
        assert text_width_mm([short], 6) <= 20
    assert short.startswith("a-rec")
    assert short.endswith("18-12")
    assert "…" in short
