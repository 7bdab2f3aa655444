# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The quantile of parts of a spectrum is NumPy's."""

import numpy as np
import pytest

from astro_latent.preparation.prepared import quantile


@pytest.mark.parametrize("kind", ["f4", "f8", "i4"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 57, 100, 299, 300, 2001])
def test_it_is_that_of_numpy(size, kind):
    values = (100 * np.random.default_rng(size).normal(size=size)).astype(kind)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        expected = np.quantile(values.astype(float), share)
        assert quantile(values, share) == pytest.approx(expected, rel=1e-14)
    assert quantile(values) == pytest.approx(np.median(values.astype(float)), rel=1e-14)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_one_nan_is_enough(share):
    for place in range(5):
        values = np.arange(5.0)
        values[place] = np.nan
        assert np.isnan(quantile(values, share))


def test_the_values_stay_in_their_order():
    values = np.array([3.0, 1.0, 2.0])
    quantile(values)
    assert values.tolist() == [3.0, 1.0, 2.0]
