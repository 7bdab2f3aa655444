# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Latents of many dimensions on a sheet of paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from .samples import as_latents, as_nodes
from .similarity import star_nodes

__all__ = ["map_latents"]

_FEWEST = {"pca": 2, "tsne": 4, "umap": 4}  # spectra


def map_latents(
    latents: np.ndarray | Table,
    *,
    method: str = "tsne",
    nodes: Sequence[int] | None = None,
    scale: bool = False,
    seed: int = 0,
    **options: Any,
) -> np.ndarray:
    """Bring latents, or features of any kind, to two dimensions.

    Distances on the map of t-SNE (van der Maaten & Hinton 2008) and UMAP (McInnes et
    al. 2018) mean little but for the nearest; those of principal components are true
    projections.

    Parameters
    ----------
    latents : Table, or ndarray, shape (n_spectra, n_latent)
        What `~astro_latent.encode_spectra` returned, or any features.
    method : {"tsne", "pca", "umap"}, optional
        UMAP needs the package umap-learn.
    nodes : sequence of int, optional
        Latents that count; by default those of the star, if the model of the table
        knows them, else all.
    scale : bool, optional
        Divide each by its standard deviation, for features of different units; latents
        have one unit.
    seed : int, optional
        Of the random start; the same seed gives the same map.
    **options
        Of `sklearn.manifold.TSNE`, such as ``perplexity`` (by default 30, or fewer for
        less than 91 spectra), ``metric``, ``early_exaggeration``;
        `sklearn.decomposition.PCA`; or ``umap.UMAP``, such as ``n_neighbors`` (by
        default 15, or fewer), ``min_dist``, ``metric``.

    Returns
    -------
    ndarray of float64, shape (n_spectra, 2)
        Places on the map; NaN for rows with NaN.

    Raises
    ------
    ValueError
        If there is no such method, or too few rows are finite (two for principal
        components, else four).
    ImportError
        If umap-learn is needed and not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import map_latents
    >>> rng = np.random.default_rng(1)
    >>> latents = rng.normal(size=(40, 5)) + 20 * (np.arange(40) % 2)[:, None]
    >>> places = map_latents(latents, method="pca")
    >>> bool(np.ptp(places[::2, 0]) < abs(places[0, 0] - places[1, 0]))
    True
    """
    if method not in _FEWEST:
        msg = f"method must be one of {', '.join(_FEWEST)}, not {method!r}"
        raise ValueError(msg)
    if isinstance(latents, Table):
        nodes = star_nodes(latents) if nodes is None else nodes
        latents = np.asarray(latents["latent"])
    latents = as_latents(latents)
    chosen = latents[:, as_nodes(nodes, latents.shape[1])]
    finite = np.isfinite(chosen).all(axis=1)
    count = int(finite.sum())
    if count < _FEWEST[method]:
        msg = (
            f"{method} needs {_FEWEST[method]} spectra, {count} of {len(latents)} are "
            "finite"
        )
        raise ValueError(msg)
    if scale:
        spread = chosen[finite].std(axis=0)
        chosen = chosen / np.where(spread > 0, spread, 1.0)
    places = np.full((len(latents), 2), np.nan)
    places[finite] = _make(method, count, seed, options).fit_transform(chosen[finite])
    return places


def _make(method: str, count: int, seed: int, options: dict[str, Any]) -> Any:
    """Return what maps: an estimator in the manner of scikit-learn."""
    if method == "pca":
        return PCA(2, random_state=seed, **options)
    if method == "tsne":
        options = {"perplexity": min(30.0, (count - 1) / 3), "init": "pca"} | options
        return TSNE(2, random_state=seed, **options)
    try:
        from umap import UMAP
    except ImportError as error:
        msg = "method='umap' needs the package umap-learn: pip install umap-learn"
        raise ImportError(msg) from error
    options = {"n_neighbors": min(15, count - 1)} | options
    return UMAP(n_components=2, random_state=seed, n_jobs=1, **options)
