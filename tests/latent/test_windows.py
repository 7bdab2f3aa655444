# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Shares within windows: planted cases, a null that is uniform, files of windows."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import kstest

from astro_latent.latent import read_windows, window_share
from astro_latent.preparation import get_grid


def planted(n=2000, strength=5.0):
    window = np.zeros(n, dtype=bool)
    window[300:320] = window[900:930] = True
    return np.where(window, strength, 1.0), window


def test_planted_share(rng):
    magnitude, window = planted()
    result = window_share(magnitude, window, rng=rng)
    assert result.coverage == pytest.approx(50 / 2000)
    assert result.share == pytest.approx(250 / 2200)
    assert result.enrichment == pytest.approx((250 / 2200) / (50 / 2000))
    assert result.p_value < 0.03  # some shifts overlap the start


def test_all_of_it_and_none_of_it(rng):
    _, window = planted()
    everything = window_share(window.astype(float), window, rng=rng)
    nothing = window_share((~window).astype(float), window, rng=rng)
    assert everything.share == 1.0
    assert nothing.share == 0.0
    assert nothing.p_value == 1.0


def test_a_flat_magnitude_has_its_coverage_everywhere(rng):
    _, window = planted()
    result = window_share(np.full(2000, 0.3), window, rng=rng)
    assert result.enrichment == pytest.approx(1.0)
    assert result.p_value == 1.0


def test_weights_count_by_their_size(rng):
    magnitude, window = planted()
    half = window_share(magnitude, 0.5 * window, rng=rng)
    full = window_share(magnitude, window, rng=rng)
    assert half.share == pytest.approx(0.5 * full.share)
    assert half.enrichment == pytest.approx(full.enrichment)


def test_pixels_without_a_magnitude_are_left_out(rng):
    magnitude, window = planted()
    magnitude[310:320] = np.nan
    result = window_share(magnitude, window, rng=rng)
    assert result.coverage == pytest.approx(40 / 1990)
    assert result.share == pytest.approx(200 / 2150)


def test_p_values_of_chance_are_uniform(rng):
    """Runs of large values, as real gradients have, and windows placed at random."""
    p_values = []
    for _ in range(250):
        magnitude = np.abs(gaussian_filter1d(rng.normal(size=600), 3.0, mode="wrap"))
        window = np.zeros(600, dtype=bool)
        for start in rng.integers(0, 580, 4):
            window[start : start + 12] = True
        p_values.append(window_share(magnitude, window, rng=rng, n_shifts=199).p_value)
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_the_null_has_the_mean_of_the_coverage(rng):
    magnitude, window = planted()
    result = window_share(magnitude, window, rng=rng, n_shifts=20_000)
    error = result.null.std() / np.sqrt(20_000)
    assert abs(result.null.mean() - result.coverage) < 5 * error


@pytest.mark.parametrize(
    ("magnitude", "window", "text"),
    [
        (np.ones(5), np.ones(6, dtype=bool), r"shape \(5,\), window \(6,\)"),
        (np.zeros(5), np.ones(5, dtype=bool), "positive somewhere"),
        (-np.ones(5), np.ones(5, dtype=bool), "negative nowhere"),
        (np.ones(5), np.zeros(5, dtype=bool), "no pixel with a magnitude"),
        (np.array([np.nan, 1.0]), np.array([True, False]), "no pixel with a magnitude"),
    ],
)
def test_nonsense_is_refused(magnitude, window, text, rng):
    with pytest.raises(ValueError, match=text):
        window_share(magnitude, window, rng=rng)


@pytest.fixture
def write(tmp_path):
    """A file like masks.dat for the 8,575 pixels of apStar files."""

    def make(wavelength):
        path = tmp_path / "masks.dat"
        weights = np.zeros((len(wavelength), 2))
        weights[1000:1010, 0] = 0.25
        lines = ["Wave Fe Yb"] + [
            f"{w:.3f} {a:.3f} {b:.3f}"
            for w, (a, b) in zip(wavelength, weights, strict=True)
        ]
        path.write_text("\n".join(lines) + "\n")
        return path

    return make


def test_windows_land_on_the_pixels_of_the_grid(write):
    everything, grid = get_grid("apogee_8575"), get_grid("apogee_7214")
    windows = read_windows(write(everything.wavelength), grid)
    assert list(windows) == ["Fe"]  # the other one is empty
    inside = windows["Fe"] > 0
    np.testing.assert_allclose(
        grid.wavelength[inside], everything.wavelength[1000:1010], rtol=1e-9
    )
    assert set(windows["Fe"][inside]) == {0.25}
    named = read_windows(write(everything.wavelength), grid, elements=["Yb"])
    assert not named["Yb"].any()


def test_order_of_the_file_does_not_matter(write):
    everything, grid = get_grid("apogee_8575"), get_grid("apogee_7214")
    there = read_windows(write(everything.wavelength), grid)["Fe"]
    back = read_windows(write(everything.wavelength[::-1]), grid)["Fe"]
    assert there.any()
    # the weights are on rows 1000-1009, so on other wavelengths in the turned file
    np.testing.assert_allclose(
        grid.wavelength[back > 0], np.sort(everything.wavelength[::-1][1000:1010])
    )


def test_other_pixels_are_refused(write):
    everything, grid = get_grid("apogee_8575"), get_grid("apogee_7214")
    shifted = write(everything.wavelength + 0.08)
    with pytest.raises(ValueError, match=r"no pixel within 0\.02 Ångström"):
        read_windows(shifted, grid)


def test_unknown_elements_are_refused(write):
    path = write(get_grid("apogee_8575").wavelength)
    with pytest.raises(ValueError, match="no column Unobtainium"):
        read_windows(path, get_grid("apogee_7214"), elements=["Unobtainium"])


def test_windows_of_aspcap(real_data):
    """Na has two lines, 13 pixels of the 7,214, around 16378 and 16393 Ångström."""
    grid = get_grid("apogee_7214")
    windows = read_windows(real_data / "apogee/windows/masks.dat", grid)
    assert len(windows) == 25  # Ti II has no window on this grid
    assert max(weight.max() for weight in windows.values()) <= 1.0
    inside = grid.wavelength[windows["Na"] > 0]
    assert len(inside) == 13
    lines = np.array([16378.3, 16393.3])  # vacuum: 16373.85, 16388.85 in air
    assert np.abs(inside[:, None] - lines).min(axis=1).max() < 3.0
