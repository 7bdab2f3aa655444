# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Prepared spectra in one file: what comes out of it can be given to PyTorch."""

import numpy as np
import pytest
import torch

from astro_latent.preparation import SpectralGrid
from astro_latent.training.arrays import as_block
from astro_latent.training.defaults import find_recipe
from astro_latent.training.gather import gather_spectra
from astro_latent.training.prepared_file import prepare_file

from .conftest import make_stars


@pytest.mark.parametrize("n_pixels", [57, 58, 59, 60])
def test_one_spectrum_of_any_length_becomes_tensors(n_pixels, tmp_path):
    stars = make_stars(5)
    for name in ("wavelength_vacuum", "flux", "error"):
        stars[name] = stars[name][..., :n_pixels]
    grid = SpectralGrid.from_spectra(list(as_block(stars)))
    recipe = find_recipe(None, known=False)
    file = prepare_file(gather_spectra(stars), grid, recipe, tmp_path)
    records = file.records[np.array([2])]
    for name in ("flux", "variance", "valid"):
        tensor = torch.from_numpy(records[name])  # a view, with the stride of records
        np.testing.assert_array_equal(
            tensor.numpy(), getattr(file.prepared(np.array([2])), name)
        )
    expected = stars["flux"][2] / np.median(stars["flux"][2])
    np.testing.assert_allclose(records["flux"][0], expected, rtol=1e-6)
