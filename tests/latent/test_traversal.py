# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Traversal and interventions with decoders whose answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from astro_latent.latent import doppler_shift, score_velocity_node, traverse_node

C_KMS = 299_792.458
WAVELENGTH = np.arange(6000.0, 6300.0, 0.05)


def linear_model(rng, n_latent=4, n_pixels=50, grid=None):
    basis = rng.normal(size=(n_latent, n_pixels))
    return SimpleNamespace(decode=lambda z: 1 + z @ basis, grid=grid), basis


def test_difference_of_a_linear_decoder_is_its_basis(rng):
    model, basis = linear_model(rng)
    start = rng.normal(size=4)
    sweep = traverse_node(model, start, node=2, values=[3.0, -1.0])
    assert sweep.values.tolist() == [-1.0, 3.0]
    np.testing.assert_allclose(sweep.reference, 1 + start @ basis, atol=1e-5)
    truth = (sweep.values - start[2])[:, None] * basis[2]
    np.testing.assert_allclose(sweep.difference, truth, atol=1e-5)
    assert sweep.wavelength is None


def test_steps_span_the_prior_or_the_population(rng):
    model, _ = linear_model(rng)
    prior = traverse_node(model, np.zeros(4), node=0, quantiles=(0.1, 0.9), n_steps=5)
    np.testing.assert_allclose(prior.values, np.linspace(*norm.ppf([0.1, 0.9]), 5))
    population = rng.normal(2, 0.1, size=(1000, 4))
    population[0] = np.nan  # a flagged spectrum
    seen = traverse_node(model, np.zeros(4), node=0, population=population, n_steps=3)
    np.testing.assert_allclose(
        seen.values[[0, -1]], np.quantile(population[1:, 0], [0.02, 0.98])
    )


def test_strongest_lists_each_line_once_and_no_padding():
    valid = np.ones(len(WAVELENGTH), dtype=bool)
    valid[:100] = False
    depth = np.zeros(len(WAVELENGTH))
    for centre, strength in ((6100, 0.5), (6150, -0.9), (6200, 0.2)):
        depth += strength * np.exp(-(((WAVELENGTH - centre) / 0.4) ** 2))
    depth[50] = 7.0  # what a decoder does in the padding is of no interest
    model = SimpleNamespace(
        decode=lambda z: z[:, :1] * depth,
        grid=SimpleNamespace(wavelength=WAVELENGTH, valid=valid),
    )
    sweep = traverse_node(model, np.zeros(1), node=0, values=[-1, 1])
    lines = sweep.strongest(n=3, separation=2.0)
    np.testing.assert_allclose(lines["wavelength"], [6150, 6100, 6200], atol=0.03)
    np.testing.assert_allclose(lines["change"], [-1.8, 1.0, 0.4], atol=0.01)
    assert lines["wavelength"].unit == "Angstrom"
    within = sweep.strongest(n=3, separation=2.0, window=(6170, 6290))
    np.testing.assert_allclose(within["wavelength"][0], 6200, atol=0.03)
    assert (within["wavelength"] > 6170).all()


def test_table_of_steps(rng):
    model, _ = linear_model(rng)
    table = traverse_node(model.decode, np.zeros(4), node=1, n_steps=3).to_table()
    assert table["flux"].shape == (3, 50)
    assert table.meta["node"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"node": 4}, "node 4 does not exist: there are 4"),
        ({"node": -1}, "node -1 does not exist"),
        ({"start": np.zeros((2, 4))}, r"latents of one spectrum, not shape \(2, 4\)"),
        ({"start": np.full(4, np.nan)}, "must be finite"),
        ({"values": [0, np.inf]}, "values must be finite"),
        ({"quantiles": (0.9, 0.1)}, "quantiles must be ordered"),
        ({"model": lambda z: z[0]}, r"decode returned shape \(4,\) for 10 rows"),
    ],
)
def test_wrong_arguments_are_named(rng, arguments, message):
    arguments = {
        "model": linear_model(rng)[0],
        "start": np.zeros(4),
        "node": 0,
        **arguments,
    }
    with pytest.raises(ValueError, match=message):
        traverse_node(**arguments)


def line(wavelength, velocity):
    return 1 - 0.6 * np.exp(
        -(((wavelength / (1 + velocity / C_KMS) - 6150) / 0.5) ** 2)
    )


@pytest.mark.parametrize("velocity", [-40.0, 0.0, 12.5, 300.0])
def test_shift_agrees_with_the_analytic_line(velocity):
    at = WAVELENGTH[400:-400]
    shifted = doppler_shift(
        WAVELENGTH, line(WAVELENGTH, 0.0)[None], velocity=velocity, at=at
    )[0]
    factor = 1 + velocity / C_KMS
    # linear interpolation: h^2 f'' / 8 = 0.05^2 * 0.6 * 2 / 0.25 / 8
    np.testing.assert_allclose(shifted * factor, line(at, velocity), atol=1.6e-3)


def perfect(latents):
    velocity = latents.astype(float)[:, :1]
    return line(WAVELENGTH, velocity) / (1 + velocity / C_KMS)


def test_model_that_moves_its_line_scores_near_zero():
    latents = np.array([[-3.0], [5.0]])
    result = score_velocity_node(
        perfect, latents, move=lambda z, v: z + v, wavelength=WAVELENGTH
    )
    assert len(result.velocities) == 20
    np.testing.assert_allclose(result.velocities[[0, -1]], [-40, 40])
    assert result.n_pixels == np.sum((WAVELENGTH >= 6050) & (WAVELENGTH <= 6250))
    assert result.score < 0.01 * result.ignored
    assert result.n_spectra == 2


def test_model_that_ignores_the_node_scores_as_ignoring():
    result = score_velocity_node(
        lambda z: np.tile(line(WAVELENGTH, 0), (len(z), 1)),
        np.zeros((3, 2)),
        move=lambda z, v: z + v,
        wavelength=WAVELENGTH,
        velocities=(-100.0, 100.0),
    )
    assert result.score == result.ignored
    # two lines that do not overlap differ by twice the equivalent width
    width = 0.6 * 0.5 * np.sqrt(np.pi)
    assert result.ignored_by_velocity[0] == pytest.approx(2 * width / 200, rel=0.1)


def test_node_that_moves_the_wrong_way_scores_worse_than_none():
    result = score_velocity_node(
        perfect, np.zeros((1, 1)), move=lambda z, v: z - v, wavelength=WAVELENGTH
    )
    assert result.score > result.ignored


def test_score_takes_the_grid_of_the_model():
    model = SimpleNamespace(
        decode=perfect, grid=SimpleNamespace(wavelength=WAVELENGTH, valid=None)
    )
    result = score_velocity_node(
        model, np.zeros((1, 1)), move=lambda z, v: z + v, velocities=(10.0,)
    )
    assert result.score < 1e-3


def test_score_refuses_what_it_cannot_judge():
    def score(**arguments):
        score_velocity_node(
            perfect, np.zeros((1, 1)), move=lambda z, v: z + v, **arguments
        )

    with pytest.raises(ValueError, match="pass wavelength"):
        score()
    with pytest.raises(ValueError, match="no pixel lies within 5000"):
        score(wavelength=WAVELENGTH, window=(5000, 5100))
    with pytest.raises(ValueError, match=r"does not cover .* shifted by"):
        score(wavelength=WAVELENGTH, window=(6000, 6300))
