# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What corner plots show: all draws, the values given, which model is which."""

import numpy as np
import pytest

from astro_latent.plotting import plot_posterior

pytest.importorskip("corner")
LABELS = ["teff", "logg", "fe_h"]


@pytest.fixture
def draws():
    rng = np.random.default_rng(2)
    return rng.normal([5000.0, 3.0, -0.5], [50.0, 0.1, 0.05], (400, 3))


def test_each_label_has_a_histogram_and_each_pair_a_panel(draws, drawn):
    figure = drawn(plot_posterior(draws, LABELS))
    axes = np.array(figure.axes).reshape(3, 3)
    shown = [[ax.get_frame_on() for ax in row] for row in axes]
    assert np.array_equal(shown, np.tri(3, dtype=bool))
    assert "T_" in axes[2, 0].get_xlabel()
    low, high = axes[2, 0].get_xlim()
    inside = (draws[:, 0] > low) & (draws[:, 0] < high)
    assert inside.mean() > 0.99
    assert not figure.legends


def test_values_given_are_marked_even_beyond_the_draws(draws, drawn):
    figure = drawn(plot_posterior(draws, LABELS, given=[5600.0, np.nan, -0.5]))
    axes = np.array(figure.axes).reshape(3, 3)
    assert axes[2, 0].get_xlim()[1] > 5600.0
    marked = [
        [line.get_xdata()[0] for line in axes[k, k].lines if len(line.get_xdata()) == 2]
        for k in range(3)
    ]
    assert marked == [[5600.0], [], [-0.5]]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["given"]


def test_models_are_named_in_the_legend(draws, drawn):
    narrow = draws.mean(0) + 0.5 * (draws - draws.mean(0))
    both = {"covariance": narrow, "flow": draws}
    figure = drawn(plot_posterior(both, LABELS, given=[5e3, 3, 0], given_name="ASPCAP"))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["covariance", "flow", "ASPCAP"]
    for ax in figure.axes[::4]:
        tops = [patch.get_xy()[:, 1].max() for patch in ax.patches]
        assert len(tops) == 2
        assert ax.get_ylim()[1] > max(tops)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:, :2], r"shape \(400, 2\).* for 3 labels"),
        (lambda d: d[None], r"shape \(1, 400, 3\).* those of one star"),
        (lambda d: d[:5], "5 draws are too few"),
        (lambda d: d * np.nan, "not finite: the spectrum cannot be used"),
        (lambda d: {name: d for name in "abcd"}, "draws of 4 models"),
    ],
)
def test_what_cannot_be_drawn_is_said(draws, change, message):
    with pytest.raises(ValueError, match=message):
        plot_posterior(change(draws), LABELS)


def test_labels_are_wanted(draws):
    with pytest.raises(ValueError, match="no labels are named"):
        plot_posterior(draws[:, :0], [])


def test_one_value_for_each_label(draws):
    with pytest.raises(ValueError, match="2 values are given for 3 labels"):
        plot_posterior(draws, LABELS, given=[5000.0, 3.0])
