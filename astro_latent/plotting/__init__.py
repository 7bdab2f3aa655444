# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures of spectra, latents and parameters; needs the extra ``plot``.

Each function draws into the axes or figure that it is given, or makes one, and returns
it; none shows or saves anything. Matplotlib is imported when a function is called.
"""

from .latent import plot_dispersion, plot_latent_label, plot_traversal
from .maps import plot_map
from .mutual_information import plot_indicator, plot_mutual_information
from .panels import MapPanel, SpectrumPanel
from .parameters import plot_comparison, plot_kiel
from .posterior import plot_posterior
from .saliency import plot_saliency
from .search import plot_importances, plot_search
from .spectra import HARPS_WINDOWS, plot_reconstruction, plot_spectrum

__all__ = [
    "HARPS_WINDOWS",
    "MapPanel",
    "SpectrumPanel",
    "plot_comparison",
    "plot_dispersion",
    "plot_importances",
    "plot_indicator",
    "plot_kiel",
    "plot_latent_label",
    "plot_map",
    "plot_mutual_information",
    "plot_posterior",
    "plot_reconstruction",
    "plot_saliency",
    "plot_search",
    "plot_spectrum",
    "plot_traversal",
]
