# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Maps of latents: groups stay together, the same seed gives the same map."""

import sys

import numpy as np
import pytest
from astropy.table import Table
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group

from astro_latent.latent import map_latents


@pytest.fixture
def groups(rng):
    """Three groups of twenty in ten dimensions, far from each other."""
    group = np.repeat([0, 1, 2], 20)
    return 30.0 * np.eye(10)[group] + rng.normal(size=(60, 10)), group


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_neighbours_on_the_map_are_of_the_same_group(groups, method):
    latents, group = groups
    places = map_latents(latents, method=method, seed=3)
    assert places.shape == (60, 2)
    apart = np.hypot(*(places[:, None] - places[None]).T)
    np.fill_diagonal(apart, np.inf)
    assert np.array_equal(group[apart.argmin(axis=1)], group)
    np.testing.assert_array_equal(places, map_latents(latents, method=method, seed=3))


def test_principal_components_find_the_plane(rng):
    plane = rng.normal(size=(50, 2)) * [5, 2]
    turned = np.pad(plane, ((0, 0), (0, 4))) @ ortho_group.rvs(6, random_state=1)
    places = map_latents(turned, method="pca")
    np.testing.assert_allclose(pdist(places), pdist(plane))


def test_scaled_features_do_not_depend_on_their_units(groups):
    features, _ = groups
    units = np.array([1.0, 1e3, 1e-4, 5, 1, 1, 1, 1, 1, 0.0])
    one, other = (
        map_latents(table, method="pca", scale=True)
        for table in (features[:, :9], (features * units)[:, :9])
    )
    np.testing.assert_allclose(one, other, atol=1e-9)
    with_constant = map_latents(features * units, method="pca", scale=True)
    np.testing.assert_allclose(with_constant, other, atol=1e-9)


@pytest.mark.parametrize(
    ("method", "options"),
    [("tsne", {"perplexity": 5, "metric": "cosine"}), ("pca", {"whiten": True})],
)
def test_options_reach_the_method_and_seeds_count(groups, method, options):
    latents, _ = groups
    plain = map_latents(latents, method=method)
    assert not np.allclose(plain, map_latents(latents, method=method, **options))
    if method == "tsne":
        apart = [map_latents(latents, init="random", seed=seed) for seed in (1, 2)]
        assert not np.allclose(*apart)


def test_rows_with_nan_have_no_place_and_velocities_no_say(groups):
    latents, _ = groups
    table = Table({"latent": latents})
    table.meta["latent_groups"] = {"star": list(range(1, 10)), "star_velocity": [0]}
    moved = table.copy()
    moved["latent"][:, 0] += np.arange(60) * 50.0
    moved["latent"][7, 5] = np.nan
    table["latent"][7, 5] = np.nan
    places = map_latents(moved, method="pca")
    assert np.isnan(places[7]).all()
    assert np.isfinite(np.delete(places, 7, axis=0)).all()
    np.testing.assert_array_equal(places, map_latents(table, method="pca"))


def test_what_cannot_be_mapped_says_why(groups, monkeypatch):
    latents, _ = groups
    with pytest.raises(ValueError, match="one of pca, tsne, umap, not 'som'"):
        map_latents(latents, method="som")
    with pytest.raises(ValueError, match="tsne needs 4 spectra, 3 of 3"):
        map_latents(latents[:3])
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        map_latents(latents, method="umap")


def test_umap_keeps_groups_together(groups):
    pytest.importorskip("umap")
    latents, group = groups
    places = map_latents(latents, method="umap", seed=1)
    centres = np.array([places[group == i].mean(axis=0) for i in range(3)])
    apart = np.hypot(*(places[:, None] - centres[None]).transpose(2, 0, 1))
    assert np.array_equal(apart.argmin(axis=1), group)
