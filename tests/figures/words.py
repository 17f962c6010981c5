"""Words of a figure: legible, inside the canvas, apart."""

from importlib import import_module

from matplotlib.figure import Figure

from workflow_scripts.figures.results import add_result

RESULT = (
    "Fine-tuning changes the representations of the middle and last layers, and hardly those of "
    "the low ones (section 4): Agrees on 3 of 4, inconclusive on 1 of 4 tasks; 6 runs.\n"
    "Pre-training leads to wider optima (section 5.1): Not applicable on 4 of 4 tasks; 6 runs."
)


def keep_figures(monkeypatch, scripts) -> list[Figure]:
    """List of the figures that these scripts save from now on; only the numbers are written."""
    figures = []

    def keep(figure, numbers, pdf, png, csv, result=""):
        add_result(figure, result or RESULT)
        figures.append(figure)
        numbers.to_csv(csv, index=False, na_rep="NaN")

    for name in scripts:
        monkeypatch.setattr(import_module(f"workflow_scripts.figures.{name}"), "save_figure", keep)
    return figures


def words_in(figure):
    """Text that a figure shows, with its box in pixels."""
    renderer = figure.canvas.get_renderer()
    texts = list(figure.texts)
    for legend in figure.legends:
        texts += legend.get_texts()
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label, axes.title]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            margin = 1e-6 * (high - low)
            for tick in axis.get_major_ticks():
                if low - margin <= tick.get_loc() <= high + margin:
                    texts += [tick.label1] if tick.label1.get_visible() else []
                    texts += [tick.label2] if tick.label2.get_visible() else []
    return [(t, t.get_window_extent(renderer)) for t in texts if t.get_visible() and t.get_text()]


def check_words(figure):
    """Words have 7 points at least, are inside a sheet that fits a page, and do not overlap."""
    figure.canvas.draw()
    words = words_in(figure)
    width, height = figure.canvas.get_width_height()
    assert width / figure.dpi <= 6.31
    for text, box in words:
        assert text.get_fontsize() >= 7, text
        inside = min(box.x0, box.y0) >= 0 and box.x1 <= width and box.y1 <= height
        assert inside, f"{text} leaves the canvas"
    for i, (text, box) in enumerate(words):
        for other, near in words[i + 1 :]:
            # Boxes of text have room above and below the letters.
            apart = (
                box.x1 <= near.x0 + 1
                or near.x1 <= box.x0 + 1
                or box.y1 <= near.y0 + 0.25 * near.height
                or near.y1 <= box.y0 + 0.25 * box.height
            )
            assert apart, f"{text} and {other} overlap"
    drawn_box = figure.get_tightbbox(figure.canvas.get_renderer())
    assert drawn_box.x0 >= 0
    assert drawn_box.y0 >= 0
    assert drawn_box.x1 <= width / figure.dpi
    assert drawn_box.y1 <= height / figure.dpi
