# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the latents mean: which carry information, and which label each one follows."""

from .census import Census, take_census
from .dispersion import find_gap, mean_deviation, median_deviation, prior_divergence
from .estimators import (
    histogram_information,
    neighbour_information,
    permuted_information,
)
from .handle_files import read_handles, write_handles
from .handles import LabelHandle, fit_handles
from .informative import PUBLISHED_THRESHOLDS, NodeDispersion, measure_dispersion
from .interventions import (
    VelocityScore,
    doppler_shift,
    intervene,
    score_velocity_node,
)
from .label_scores import LabelScore, score_label_handle
from .maps import map_latents
from .monotone import MonotoneRange, find_monotone_range
from .mutual_information import (
    PUBLISHED_BINNINGS,
    MutualInformation,
    measure_mutual_information,
)
from .probes import Probe, fit_probes, probe_table
from .saliency import Saliency, measure_saliency
from .samples import align_labels, one_per_star
from .similarity import LatentIndex
from .traversal import Traversal, traverse_node
from .windows import WindowShare, read_windows, window_share

__all__ = [
    "PUBLISHED_BINNINGS",
    "PUBLISHED_THRESHOLDS",
    "Census",
    "LabelHandle",
    "LabelScore",
    "LatentIndex",
    "MonotoneRange",
    "MutualInformation",
    "NodeDispersion",
    "Probe",
    "Saliency",
    "Traversal",
    "VelocityScore",
    "WindowShare",
    "align_labels",
    "doppler_shift",
    "find_gap",
    "find_monotone_range",
    "fit_handles",
    "fit_probes",
    "histogram_information",
    "intervene",
    "map_latents",
    "mean_deviation",
    "measure_dispersion",
    "measure_mutual_information",
    "measure_saliency",
    "median_deviation",
    "neighbour_information",
    "one_per_star",
    "permuted_information",
    "prior_divergence",
    "probe_table",
    "read_handles",
    "read_windows",
    "score_label_handle",
    "score_velocity_node",
    "take_census",
    "traverse_node",
    "window_share",
    "write_handles",
]
