# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The gap between two samples, where the answer is known."""

import numpy as np
import pytest
from scipy.stats import norm

from astro_latent.training import measure_gap


def samples(n=300, width=8, shift=0.0, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(2, n, width))
    other[:, 0] = shift + scale * other[:, 0]
    return one, other


def test_equal_distributions_are_not_told_apart():
    found = [
        measure_gap(*samples(seed=seed), n_permutations=19, rng=seed)
        for seed in range(3)
    ]
    assert np.median([each.p_accuracy for each in found]) > 0.05
    assert np.median([each.p_distance for each in found]) > 0.05
    assert all(abs(each.accuracy - 0.5) < 0.08 for each in found)


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_accuracy_is_that_of_the_best_rule(shift):
    """Two Gaussians apart by d are told apart with probability Phi(d / 2)."""
    found = measure_gap(*samples(n=1000, shift=shift), n_permutations=19, rng=1)
    best = norm.cdf(shift / 2)
    assert found.accuracy == pytest.approx(best, abs=4 * found.accuracy_error)
    assert found.accuracy > found.accuracy_null
    assert found.p_accuracy == found.p_distance == 1 / 20


def test_another_scatter_alone_is_seen():
    found = measure_gap(*samples(scale=4.0), n_permutations=19, rng=1)
    assert found.accuracy > 0.65
    assert found.p_accuracy == 1 / 20


def test_energy_distance_is_its_definition():
    one, other = samples(n=40, width=3, shift=1.0)
    found = measure_gap(one, other, n_components=3, n_permutations=0, rng=1)

    def mean(a, b):
        return np.mean(np.linalg.norm(a[:, None] - b[None], axis=2))

    both = np.concatenate([one, other])
    unit = mean(both, both) * 80 / 79
    energy = (2 * mean(one, other) - mean(one, one) - mean(other, other)) / unit
    assert found.distance == pytest.approx(energy)  # components rotate, no more
    assert np.isnan(found.distance_null)


def test_the_larger_sample_is_drawn_from():
    one, other = samples()
    assert measure_gap(one[:50], other, n_permutations=1, rng=1).n_each == 50


def test_bad_input_is_told():
    one, other = samples(n=20)
    with pytest.raises(ValueError, match="pixels must agree"):
        measure_gap(one, other[:, :3])
    with pytest.raises(ValueError, match="9 spectra of a kind"):
        measure_gap(one[:9], other)
    with pytest.raises(ValueError, match="real spectra hold NaN"):
        measure_gap(one, np.where(other > 1, np.nan, other))
