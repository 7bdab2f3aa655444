# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fit networks to spectra and their labels, calibrate the errors, judge the result.

Nothing here knows a survey: losses, calibration and scores take arrays. What made the
bundled weights calls this room and ``simulation``, and lies outside the package.
"""

from ..utils.lazy import lazy_names

_HOMES = {
    "Augmentation": ".augmentation",
    "Evaluation": ".evaluate",
    "FitOptions": ".defaults",
    "Gap": ".gap",
    "as_block": ".arrays",
    "autoencoder_loss": ".losses",
    "bound_covariance": ".scores",
    "calibrate_errors": ".calibration",
    "collect_features": ".domain",
    "compare_labels": ".evaluate",
    "coverage": ".scores",
    "default_space": ".search_space",
    "describe_domain": ".domain",
    "describe_outputs": ".outputs",
    "find_components": ".linear",
    "drop_pixels": ".missing",
    "evaluate_missing": ".missing",
    "evaluate_model": ".evaluate",
    "fine_tuning_recipe": ".start",
    "fit": ".loop",
    "fit_growth_with_missing": ".calibration",
    "fit_ridge": ".linear",
    "gaussian_nll": ".losses",
    "group_parameters": ".loop",
    "keep_outputs": ".outputs",
    "kl_divergence": ".losses",
    "kl_weight": ".losses",
    "label_ranges": ".outputs",
    "linear_start": ".dense_units",
    "measure_gap": ".gap",
    "one_cycle": ".loop",
    "restart_silent_units": ".dense_units",
    "scale_flux_errors": ".calibration",
    "Search": ".search",
    "score_repeats": ".scores",
    "score_residuals": ".scores",
    "search_hyperparameters": ".search",
    "share_layers": ".start",
    "start_from": ".start",
    "train_model": ".train",
    "train_several": ".several",
    "write_checkpoint": ".loop",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
