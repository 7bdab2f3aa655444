# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra that resemble each other, and those that resemble none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from sklearn.neighbors import NearestNeighbors

from ..exceptions import UnknownNameError
from ..utils.writing import replacing
from .samples import as_floats, as_latents, as_nodes

__all__ = ["LatentIndex", "star_nodes"]


class LatentIndex:
    """Nearest neighbours in the space of the latents that tell something of the star.

    The prior gives every latent the same unit, so that distances need no scaling;
    latents that the prior has won back add nothing but time, and velocities,
    atmosphere and detector are not the star's: both are best left out.

    Parameters
    ----------
    latents : Table, or ndarray, shape (n_spectra, n_latent)
        What `~astro_latent.encode_spectra` returned, or posterior means of the spectra
        to search; rows with NaN are left out.
    obs_id : sequence of str, shape (n_spectra,), optional
        Their identifiers; by default those of the table.
    nodes : sequence of int, optional
        Latents that count; by default those of the star, if the model of the table
        knows them (``table.meta["latent_groups"]["star"]``), else all.
    sigma : ndarray, shape (n_spectra, n_latent), optional
        Errors of the latents; by default those of the table.

    Raises
    ------
    ValueError
        If shapes disagree, an identifier of finite rows occurs twice or no row is
        finite.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import LatentIndex
    >>> index = LatentIndex(np.array([[0.0], [1.0], [5.0]]), ["a", "b", "c"])
    >>> index.query_id("a", n=1)["obs_id"].tolist()
    ['b']
    """

    def __init__(
        self,
        latents: np.ndarray | Table,
        obs_id: Sequence[str] | None = None,
        *,
        nodes: Sequence[int] | None = None,
        sigma: np.ndarray | None = None,
    ) -> None:
        if isinstance(latents, Table):
            if obs_id is None:
                obs_id = latents["obs_id"]
            if nodes is None:
                nodes = star_nodes(latents)
            latents, sigma = _take_latents(latents, sigma)
        if obs_id is None:
            msg = "latents without a table need obs_id, the identifiers of their rows"
            raise ValueError(msg)
        latents = as_latents(latents)
        names = np.asarray(obs_id).astype(str)
        if names.shape != (len(latents),):
            msg = f"obs_id has shape {names.shape} for {len(latents)} latents"
            raise ValueError(msg)
        self.n_latent = latents.shape[1]
        self.nodes = as_nodes(nodes, self.n_latent)
        finite = np.isfinite(latents[:, self.nodes]).all(axis=1)
        if not finite.any():
            msg = f"none of the {len(latents)} rows is finite"
            raise ValueError(msg)
        self.latents, self.obs_id = latents[finite], names[finite]
        if len(np.unique(self.obs_id)) != len(self.obs_id):
            msg = "an obs_id occurs more than once: its neighbours would be ambiguous"
            raise ValueError(msg)
        self.sigma = np.full_like(self.latents, np.nan)
        if sigma is not None:
            self.sigma = as_latents(sigma, "sigma")[finite]
        self._tree = NearestNeighbors().fit(self.latents[:, self.nodes])

    def __len__(self) -> int:
        return len(self.latents)

    def query(
        self,
        latents: np.ndarray | Table,
        *,
        n: int = 10,
        sigma: np.ndarray | None = None,
    ) -> Table:
        """Find the spectra nearest to given latents.

        Parameters
        ----------
        latents : Table, or ndarray, shape (n_latent,) or (n_queries, n_latent)
            All latents of the spectra to compare with.
        n : int, optional
            Neighbours of each.
        sigma : ndarray, shape as ``latents``, optional
            Their errors; by default those of the table.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``query`` (row of ``latents``), ``rank`` (from 1), ``obs_id``,
            ``distance`` (standard deviations of the prior) and ``distance_sigma``: the
            root mean square, over the latents that count, of the difference in units
            of its error; NaN where errors are not known. It would be about 1 for
            spectra that differ by noise alone if errors were those of noise; those of
            the star's nodes of the bundled autoencoders are ten times as wide and more,
            so that repeats lie at 0.03 to 0.1. A query with NaN has no rows.

        Raises
        ------
        ValueError
            If the number of nodes is not that of the index.
        """
        if isinstance(latents, Table):
            latents, sigma = _take_latents(latents, sigma)
        values = self._select(latents)
        errors = np.full_like(values, np.nan) if sigma is None else self._select(sigma)
        known = np.flatnonzero(np.isfinite(values).all(axis=1))
        n = min(n, len(self))
        found = np.empty((2, 0, n))
        if len(known):
            found = self._tree.kneighbors(values[known], n_neighbors=n)
        distance, row = (np.ravel(part) for part in found)
        query, row = np.repeat(known, n), row.astype(int)
        difference = values[query] - self.latents[row][:, self.nodes]
        variance = errors[query] ** 2 + self.sigma[row][:, self.nodes] ** 2
        return Table(
            {
                "query": query,
                "rank": np.tile(np.arange(1, n + 1), len(known)),
                "obs_id": self.obs_id[row],
                "distance": distance,
                "distance_sigma": np.sqrt(np.mean(difference**2 / variance, axis=1)),
            }
        )

    def query_id(self, obs_id: str, *, n: int = 10) -> Table:
        """Find the spectra nearest to one of the index, itself left out.

        Parameters
        ----------
        obs_id : str
            Identifier.
        n : int, optional
            Number of neighbours.

        Returns
        -------
        `~astropy.table.Table`
            As from `query`.

        Raises
        ------
        UnknownNameError
            If the index has no such spectrum.
        """
        row = np.flatnonzero(self.obs_id == str(obs_id))
        if not row.size:
            raise UnknownNameError("indexed spectrum", obs_id, self.obs_id.tolist())
        table = self.query(self.latents[row[0]], n=n + 1, sigma=self.sigma[row[0]])
        table = table[table["obs_id"] != str(obs_id)][:n]
        table["rank"] = np.arange(1, len(table) + 1)
        return table

    def outlier_score(
        self, latents: np.ndarray, *, n: int = 10, false_alarms: float = 0.01
    ) -> np.ndarray:
        """Measure how far spectra lie from all that the index holds.

        Parameters
        ----------
        latents : ndarray, shape (n_queries, n_latent)
            All latents of the spectra to judge; they must not be in the index.
        n : int, optional
            The distance to the ``n``-th neighbour counts.
        false_alarms : float, optional
            Share of the index itself that would score above 1.

        Returns
        -------
        ndarray, shape (n_queries,)
            1 is the limit of what counts as inside; NaN for rows with NaN.

        Raises
        ------
        ValueError
            If the index has no more than ``n`` spectra.
        """
        if len(self) <= n:
            msg = f"an index of {len(self)} spectra has no {n} neighbours of each"
            raise ValueError(msg)
        inside, _ = self._tree.kneighbors(n_neighbors=n)  # each row without itself
        limit = np.quantile(inside[:, -1], 1 - false_alarms)
        values = self._select(latents)
        known = np.isfinite(values).all(axis=1)
        score = np.full(len(values), np.nan)
        if known.any():
            distance, _ = self._tree.kneighbors(values[known], n_neighbors=n)
            score[known] = distance[:, -1] / limit
        return score

    def save(self, path: str | Path) -> None:
        """Write the index to a NumPy archive.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.npz``.
        """
        if not str(path).endswith(".npz"):  # as NumPy does
            path = f"{path}.npz"
        with replacing(path) as part:
            np.savez_compressed(
                part,
                latents=self.latents,
                obs_id=self.obs_id,
                nodes=self.nodes,
                sigma=self.sigma,
            )

    @classmethod
    def load(cls, path: str | Path) -> "LatentIndex":
        """Read an index.

        Parameters
        ----------
        path : str or path-like
            As written by `save`.

        Returns
        -------
        LatentIndex
            The same index.
        """
        with np.load(path, allow_pickle=False) as stored:
            return cls(
                stored["latents"],
                stored["obs_id"],
                nodes=stored["nodes"],
                sigma=stored["sigma"],
            )

    def _select(self, latents: np.ndarray) -> np.ndarray:
        """Return those latents of one or more spectra that count."""
        latents = np.atleast_2d(np.asarray(latents, dtype=float))
        if latents.ndim != 2 or latents.shape[1] != self.n_latent:
            msg = f"latents have shape {latents.shape}, the index {self.n_latent} nodes"
            raise ValueError(msg)
        return latents[:, self.nodes]


def star_nodes(table: Table) -> list[int] | None:
    """Return the latents of the star, if the model of the table knows them."""
    nodes = table.meta.get("latent_groups", {}).get("star")
    # vstack joins the lists of all its tables
    return None if nodes is None else list(dict.fromkeys(nodes))


def _take_latents(
    table: Table, sigma: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the latents of a table and their errors, if it has any."""
    if sigma is None and "latent_error" in table.colnames:
        sigma = as_floats(table["latent_error"])
    return np.asarray(table["latent"]), sigma
