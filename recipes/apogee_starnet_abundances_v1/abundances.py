# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stars with abundances of their own: emulated spectra times a synthetic ratio.

An emulator of real spectra brings T_eff, log g, [Fe/H], the line-spread function and
everything that synthesis does badly. The ratio of two synthetic spectra, one with the
abundances wanted and one with those that the emulator's spectrum stands for, brings
the elements. Each [X/Fe] is drawn by itself, so that a network has to read the lines.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from astro_latent.simulation.apogee_synthesis import (
    ALPHA_ELEMENTS,
    NODE_LABELS,
    SynthesisEmulator,
    broaden,
    read_nodes,
)
from recipes.apogee.stars import apogee_emulator, draw_apogee_stars

__all__ = [
    "ABUNDANCE_LABELS",
    "DRAWN_RANGES",
    "AbundanceStars",
    "abundance_labels",
    "clean_spectra",
    "draw_abundance_stars",
    "make_abundance_bank",
    "reference_pattern",
    "synthesis_emulator",
    "typical_vmicro",
]

#: Labels of the stars: T_eff, log g, v_micro, [Fe/H] and eighteen [X/H].
ABUNDANCE_LABELS = tuple(
    name.replace("_fe", "_h") if name != "fe_h" else name for name in NODE_LABELS
)


#: Limits of the uniform distribution of each [X/Fe]; the nodes cover them at every
#: [Fe/H] of the emulator.
DRAWN_RANGES = {
    "c": (-0.60, 0.40), "n": (-0.40, 0.80), "na": (-0.38, 0.38), "al": (-0.30, 0.40),
    "p": (-0.30, 0.40), "k": (-0.30, 0.40), "v": (-0.38, 0.38), "cr": (-0.38, 0.38),
    "mn": (-0.40, 0.30), "co": (-0.38, 0.38), "ni": (-0.38, 0.38), "cu": (-0.40, 0.32),
    **dict.fromkeys(ALPHA_ELEMENTS, (-0.30, 0.48)),
}  # fmt: skip

_COLUMN = {name: column for column, name in enumerate(NODE_LABELS)}
_MAX_C_OVER_O = 0.15  # over the solar ratio: the library has no carbon stars


class AbundanceStars(NamedTuple):
    """Stars, and what their spectra are made from.

    ``base`` goes to the emulator of real spectra; ``nodes`` and ``reference`` to the
    synthetic one, above and below the fraction; ``labels`` are `ABUNDANCE_LABELS`.
    """

    base: np.ndarray
    nodes: np.ndarray
    reference: np.ndarray
    labels: np.ndarray


def typical_vmicro(logg: np.ndarray) -> np.ndarray:
    """Microturbulence that a star of this gravity has on average.

    Parameters
    ----------
    logg : ndarray
        Log of surface gravity.

    Returns
    -------
    ndarray
        km/s: the relation of Holtzman et al. (2018, AJ 156, 125) for giants, and 0.9
        where that falls below.

    Examples
    --------
    >>> import numpy as np
    >>> from recipes.apogee_starnet_abundances_v1.abundances import typical_vmicro
    >>> typical_vmicro(np.array([1.0, 2.5, 4.5])).round(2).tolist()
    [1.67, 1.51, 0.9]
    """
    exponent = 0.226 - 0.0228 * logg + 0.0297 * logg**2 - 0.0113 * logg**3
    return np.maximum(10.0**exponent, 0.9)


def reference_pattern(base: np.ndarray) -> np.ndarray:
    """Return the synthetic labels that an emulator's spectrum stands for.

    Scaled solar, with [alpha/Fe] for the six elements of `ALPHA_ELEMENTS`; carbon and
    nitrogen as giants have them after their first dredge-up.

    Parameters
    ----------
    base : ndarray, shape (n_spectra, 5)
        T_eff, log g, [Fe/H], [alpha/Fe], v_macro.

    Returns
    -------
    ndarray, shape (n_spectra, 22)
        In the order of `~astro_latent.simulation.apogee_synthesis.NODE_LABELS`.
    """
    teff, logg, fe_h, alpha = base[:, :4].T
    labels = np.zeros((len(base), len(NODE_LABELS)))
    labels[:, :4] = np.stack([teff, logg, typical_vmicro(logg), fe_h], axis=1)
    for element in ALPHA_ELEMENTS:
        labels[:, _COLUMN[f"{element}_fe"]] = alpha
    # A linear fit to [C/Fe] and [N/Fe] of 9,384 giants of SDSS DR12.
    mixed = np.clip((3.6 - logg) / 0.4, 0.0, 1.0)
    labels[:, _COLUMN["c_fe"]] = 0.86 * alpha - 0.11 * mixed
    labels[:, _COLUMN["n_fe"]] = mixed * (0.18 - 0.15 * (logg - 2.5))
    return labels


def draw_abundance_stars(
    data: str | Path, n_spectra: int, *, seed: int
) -> AbundanceStars:
    """Draw stars whose abundances tell nothing about each other.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_spectra : int
        How many stars.
    seed : int
        Another seed gives other stars.

    Returns
    -------
    AbundanceStars
        The only tie between elements is [C/O], which stays below that of carbon stars.
    """
    base = draw_apogee_stars(data, n_spectra, seed=seed)
    rng = np.random.default_rng([seed, 19])
    reference = reference_pattern(base)
    nodes = reference.copy()
    vmicro = nodes[:, 2] + rng.uniform(-0.5, 0.5, n_spectra)
    nodes[:, 2] = np.clip(vmicro, 0.4, 2.3)
    for element, (low, high) in DRAWN_RANGES.items():
        nodes[:, _COLUMN[f"{element}_fe"]] = rng.uniform(low, high, n_spectra)
    carbon, oxygen = nodes[:, _COLUMN["c_fe"]], nodes[:, _COLUMN["o_fe"]]
    top = np.minimum(DRAWN_RANGES["c"][1], oxygen + _MAX_C_OVER_O)
    rich = carbon > top
    carbon[rich] = rng.uniform(DRAWN_RANGES["c"][0], top[rich])
    return AbundanceStars(base, nodes, reference, abundance_labels(nodes))


def abundance_labels(nodes: np.ndarray) -> np.ndarray:
    """Turn [X/Fe] into [X/H].

    Parameters
    ----------
    nodes : ndarray, shape (n_spectra, 22)
        In the order of `~astro_latent.simulation.apogee_synthesis.NODE_LABELS`.

    Returns
    -------
    ndarray, shape (n_spectra, 22)
        In the order of `ABUNDANCE_LABELS`.
    """
    labels = nodes.copy()
    labels[:, 4:] += nodes[:, 3:4]
    return labels


def synthesis_emulator(data: str | Path) -> SynthesisEmulator:
    """Fit the emulator of the synthetic library.

    Parameters
    ----------
    data : path
        Folder with ``apogee/synthetic/apogee_like_nodes.npz``.

    Returns
    -------
    SynthesisEmulator
        Fitted to all nodes.
    """
    return SynthesisEmulator.fit(
        *read_nodes(Path(data, "apogee/synthetic/apogee_like_nodes.npz"))
    )


def clean_spectra(
    stars: AbundanceStars,
    data: str | Path,
    *,
    synthesis: SynthesisEmulator | None = None,
) -> np.ndarray:
    """Make the noiseless spectra of stars.

    Parameters
    ----------
    stars : AbundanceStars
        From `draw_abundance_stars`.
    data : path
        Folder with the training ingredients.
    synthesis : SynthesisEmulator, optional
        From `synthesis_emulator`, fitted here if it is not given.

    Returns
    -------
    ndarray, shape (n_spectra, 7214), float32
        Emulator times ratio; both parts of the ratio are broadened as the star is.
    """
    emulator = apogee_emulator(data)
    synthesis = synthesis or synthesis_emulator(data)
    flux = np.empty((len(stars.base), emulator.bias_out.size), dtype=np.float32)
    # A Gaussian of this width explains what v_macro does to the emulator's spectra.
    width = 1.1 * stars.base[:, 4]
    for first in range(0, len(flux), 250):
        rows = slice(first, first + 250)
        above = broaden(synthesis.flux(stars.nodes[rows]), width[rows])
        below = broaden(synthesis.flux(stars.reference[rows]), width[rows])
        flux[rows] = emulator.flux(stars.base[rows]) * above / below
    return flux


def make_abundance_bank(
    data: str | Path, folder: str | Path, *, n_spectra: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Make clean spectra once, into a memory-mapped float16 file.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    folder : path
        Where ``bank.npy`` is kept, and found again.
    n_spectra : int
        How many spectra.
    seed : int
        Seed of the stars.

    Returns
    -------
    flux : ndarray, shape (n_spectra, 7214), float16, memory-mapped
        Clean normalised spectra.
    labels : ndarray, shape (n_spectra, 22)
        In the order of `ABUNDANCE_LABELS`.
    """
    path = Path(folder, "bank.npy")
    path.parent.mkdir(parents=True, exist_ok=True)
    stars = draw_abundance_stars(data, n_spectra, seed=seed)
    if not path.exists():
        synthesis = synthesis_emulator(data)
        part = path.with_suffix(".part")
        bank = np.lib.format.open_memmap(part, "w+", np.float16, (n_spectra, 7214))
        for first in range(0, n_spectra, 2000):
            rows = slice(first, first + 2000)
            some = AbundanceStars(*(array[rows] for array in stars))
            bank[rows] = clean_spectra(some, data, synthesis=synthesis)
        bank.flush()
        part.replace(path)
    return np.load(path, mmap_mode="r", allow_pickle=False), stars.labels
