from abxfast.figures import LayerScore, draw_layers, settings


def test_layers_are_in_natural_order():
    panel = {
        "layer18.max": LayerScore(0.6),
        "layer9.max": LayerScore(0.71),
        "layer9.mean": LayerScore(float("nan")),
    }
    with settings(["DejaVu Sans"]):
        figure = draw_layers("t", {"1 s": panel}).figure
    scores = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert scores == [".71", ".60"]
