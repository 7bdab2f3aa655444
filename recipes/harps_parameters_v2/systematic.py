# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How errors of the synthetic library grow away from the Sun, by MILES stars.

``python -m recipes.harps_parameters_v2.systematic --data FOLDER`` fits the library,
blurred to 2.5 Angstrom, to stars of MILES that are not for tests, and the deviations
from their labels by a scatter that grows with the distance from the Sun in each label.
Lines count as they do in the network, here by seven stars like the Sun, whose own
deviations are the zero. The recipe states the slopes, in round numbers. What deviates
at R = 2,000 need not do so as much at R = 115,000.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize
from scipy.stats import t as student

from astro_latent.models.layers.line_windows import divide_by_line
from astro_latent.simulation.harps_library import HarpsLibrary
from astro_latent.utils.physics import SPEED_OF_LIGHT
from recipes.harps.least_squares import robust_step
from recipes.harps.stars import LIBRARY
from recipes.real.miles import LABELS, read_stars

__all__ = ["BlurredLibrary", "fit_slopes", "main"]

_SUN = np.array([5772.0, 4.44, 0.0])
_UNIT = np.array([1000.0, 1.0, 1.0])
_STEP, _WINDOW = 50.0, 66  # km/s, and pixels of the straight line: 3,300 km/s
_WIDTH = 2.5 / 2.3548  # Angstrom, standard deviation
_FINE = 0.1  # Angstrom
_RANGE = (4000.0, 6860.0)
#: Angstrom: calcium, sodium, and the Earth's air.
_LEFT_OUT = (
    (3930, 3975), (5885, 5905), (5910, 6000), (6275, 6330), (6465, 6500), (6510, 6535),
)  # fmt: skip
#: T_eff, log g, [M/H], deviations of [alpha/M] and of microturbulence, velocity.
_LOW = np.array([4050.0, 0.5, -2.45, -0.3, -0.6, -150.0])
_HIGH = np.array([7900.0, 4.95, 0.5, 0.3, 0.9, 150.0])
_DIFFERENCE = np.array([40.0, 0.1, 0.05, 0.05, 0.1, 10.0])
_MOST = np.array([400.0, 0.5, 0.3, 0.15, 0.3, 60.0])
_PRIOR = np.array([0.0, 0.0, 0.0, 1 / 0.06, 1 / 0.15, 1 / 50.0])
_WRONG_TOGETHER = 3.0  # pixels
_LIKE_SUN = np.array([180.0, 0.25, 0.2])
_SOFTENING, _SHARE = 0.003, 0.1
_FREEDOM = 5  # of Student's t


class BlurredLibrary:
    """The library at the resolution of MILES, over straight lines.

    Parameters
    ----------
    library : HarpsLibrary
        Its components are blurred once: spectra are sums of them.
    """

    def __init__(self, library: HarpsLibrary) -> None:
        self.library = library
        step = _STEP / SPEED_OF_LIGHT
        self.place = np.exp(np.arange(np.log(3900.0), np.log(6890.0), step))
        self.used = (self.place > _RANGE[0]) & (self.place < _RANGE[1])
        for low, high in _LEFT_OUT:
            self.used &= ~((self.place > low) & (self.place < high))
        sampled = np.exp(
            library.log_start + library.log_step * np.arange(library.n_pixels)
        )
        rows = np.vstack([library.mean.numpy(), library.basis_t.numpy()])
        fine = np.arange(3790.0, 6905.0, _FINE)
        blurred = [
            gaussian_filter1d(np.interp(fine, sampled, row), _WIDTH / _FINE)
            for row in rows
        ]
        self.rows = np.array([np.interp(self.place, fine, row) for row in blurred])

    def flatten(self, flux: np.ndarray) -> np.ndarray:
        """Divide flux at ``place``, shape (n, n_pixels), by lines; keep what counts."""
        flux = torch.from_numpy(np.atleast_2d(flux))
        lines, _ = divide_by_line(
            flux, torch.ones_like(flux, dtype=torch.bool), _WINDOW
        )
        return lines.numpy()[:, self.used]

    def lines(self, values: np.ndarray) -> np.ndarray:
        """Render stars, shape (n, 6): labels, deviations, velocity in km/s."""
        teff, logg, m_h, alpha, vmicro, velocity = np.atleast_2d(values).T
        usual = np.clip(1.05 + 2.5e-4 * (teff - 5600.0) + 0.2 * (4.4 - logg), 0.6, 2.7)
        labels = np.column_stack(
            [teff, logg, m_h, np.clip(-0.25 * m_h, 0.0, 0.3) + alpha,
             np.clip(usual + vmicro, 0.5, 2.8), 0 * teff, 0 * teff]
        )  # fmt: skip
        found = self.library.coefficients(torch.from_numpy(labels)).numpy()
        flux = self.rows[0] + found @ self.rows[1:]
        moved = [
            np.interp(self.place * (1.0 - v / SPEED_OF_LIGHT), self.place, row)
            for v, row in zip(velocity, flux, strict=True)
        ]
        return self.flatten(np.array(moved))

    def fit(
        self, seen: np.ndarray, start: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Fit flattened flux by Gauss-Newton steps; return T_eff, log g, [M/H]."""
        values = np.clip(np.append(start, np.zeros(3)), _LOW, _HIGH)
        for _ in range(10):
            signs = np.where(values + _DIFFERENCE < _HIGH, 1.0, -1.0)
            moves = _DIFFERENCE * signs
            rows = self.lines(np.vstack([values, values + np.diag(moves)]))
            step = robust_step(
                seen - rows[0], (rows[1:] - rows[0]) / moves[:, None], weight,
                values=values, prior=_PRIOR, wrong_together=_WRONG_TOGETHER,
            )  # fmt: skip
            step = np.clip(step, -_MOST, _MOST)
            values = np.clip(values + step, _LOW, _HIGH)
            if abs(step[0]) < 3.0 and abs(step[1]) < 0.01:
                break
        return values[:3]


def fit_slopes(away: np.ndarray, off: np.ndarray, unit: float) -> np.ndarray:
    """Fit a scatter that grows in quadrature with distances.

    Parameters
    ----------
    away : ndarray, shape (n_labels, n)
        Distances, in units of the slopes.
    off : ndarray, shape (n,)
        Deviations.
    unit : float
        Of deviations, where the search begins.

    Returns
    -------
    ndarray, shape (1 + n_labels,)
        Scatter at no distance, and slopes; most likely by Student's t.

    Examples
    --------
    >>> import numpy as np
    >>> from recipes.harps_parameters_v2.systematic import fit_slopes
    >>> rng = np.random.default_rng(0)
    >>> away = rng.uniform(-1.0, 1.0, (1, 400))
    >>> off = rng.standard_t(5, 400) * np.hypot(0.1, 0.3 * away[0])
    >>> np.round(fit_slopes(away, off, 0.1), 1)
    array([0.1, 0.3])
    """

    def cost(logs: np.ndarray) -> float:
        parts = np.exp(logs[1:, None]) * away
        scatter = np.sqrt(np.exp(2.0 * logs[0]) + np.sum(parts**2, axis=0))
        ratio = off / unit / scatter
        return float(np.sum(np.log(scatter) - student.logpdf(ratio, _FREEDOM)))

    starts = [np.append(0.0, np.full(len(away), size)) for size in (-2.0, -0.5, 0.5)]
    limits = {"maxiter": 6000, "maxfev": 6000}
    found = [minimize(cost, s, method="Nelder-Mead", options=limits) for s in starts]
    return unit * np.exp(min(found, key=lambda each: float(each.fun)).x)


def _deviations(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Labels of MILES stars that are not for tests, and how far fits are off."""
    stars = read_stars(data)
    known = np.column_stack([stars[name] for name in LABELS])
    teff, logg, m_h = known.T
    rows = ~stars["test"] & np.isfinite(known.sum(1)) & (logg < 5.2)
    rows &= (teff > 4300) & (teff < 7300) & (m_h > -2.3) & (m_h < 0.5)
    library = BlurredLibrary(HarpsLibrary(data / LIBRARY))
    wavelength, known = stars["wavelength_air"], known[rows].astype(float)
    flux = [np.interp(library.place, wavelength, f) for f in stars["flux"][rows]]
    seen = library.flatten(np.array([row / np.median(row) for row in flux]))
    like_sun = np.all(np.abs(known - _SUN) < _LIKE_SUN, axis=1)
    clean = np.hstack([known, np.zeros_like(known)])
    depth = library.lines(np.append(_SUN, np.zeros(3)))[0]
    left = np.median(seen[like_sun] - library.lines(clean[like_sun]), axis=0)
    weight = 1.0 / np.sqrt(1.0 + left**2 / (_SOFTENING**2 + (_SHARE * depth) ** 2))
    fits = [library.fit(s, k, weight) for s, k in zip(seen, known, strict=True)]
    off = np.array(fits) - known
    return known, off - np.median(off[like_sun], axis=0)


def main() -> None:
    """Fit all stars, and print slopes for each label."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    known, off = _deviations(parser.parse_args().data)
    away = ((known - _SUN) / _UNIT).T
    rows = []
    for stars, chosen in (
        ("all", np.isfinite(known[:, 0])), ("log g > 3.8", known[:, 1] > 3.8),
        ("[M/H] > -1", known[:, 2] > -1.0),
    ):  # fmt: skip
        for name, column, unit in zip(LABELS, off.T, (100.0, 0.1, 0.1), strict=True):
            slopes = fit_slopes(away[:, chosen], column[chosen], unit)
            rows.append((stars, chosen.sum(), name, *slopes.round(3)))
    names = ("stars", "n", "label", "at_sun", "by_teff", "by_logg", "by_m_h")
    Table(rows=rows, names=names).pprint_all()


if __name__ == "__main__":
    main()
