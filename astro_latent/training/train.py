# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""train_model: spectra and labels in, a calibrated model out."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.table import Table

from ..models import ModelLike, SpectralModel, load_model, save_weights
from ..preparation import Recipe, SpectralGrid
from ..spectra.reading import SpectraLike
from ..tables import write_table
from .augmentation import Augmentation
from .checks import check_place, check_texts
from .finish import Finished, calibrate_model
from .finish_encoder import judge_encoder
from .job import Job
from .kinds import check_kinds
from .outputs import round_network
from .record import describe_weights
from .seen import judge_across, judge_left_out
from .setting_up import set_up
from .stars import OUTSIDE, PARTS
from .tasks import LatentTask
from .velocities import VelocityLike

__all__ = ["finish_training", "train_model"]

#: Files beside the weights: what held-out stars say of them.
SCORES_FILE, PREDICTIONS_FILE = "held_out_scores.ecsv", "held_out.ecsv"
OMISSIONS_FILE, LOG_FILE = "left_out.ecsv", "training_log.ecsv"


def train_model(
    spectra: SpectraLike | Mapping[str, Any],
    labels: Sequence[str] | None = None,
    *,
    table: Table | None = None,
    folder: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    architecture: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    members: int | None = None,
    from_weights: ModelLike | None = None,
    grid: SpectralGrid | str | None = None,
    recipe: Recipe | Mapping[str, Any] | str | None = None,
    facts: Mapping[str, Any] | None = None,
    radial_velocity: VelocityLike | None = None,
    star: str | None = None,
    split: str | Sequence[str] | None = None,
    held_out: float | None = None,
    validation: float | None = None,
    folds: int | None = None,
    augment: Augmentation | Mapping[str, Any] | None = None,
    price_per_nat: float = 0.3 / 128,
    limits: Mapping[str, Sequence[float | None]] | None = None,
    false_alarms: float = 0.04,
    about: Mapping[str, Any] | None = None,
    dtype: str = "float32",
    seed: int = 0,
    work: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool | None = None,
    **options: Any,
) -> SpectralModel:
    """Train a model on spectra and their labels, or without labels an encoder.

    Parameters
    ----------
    spectra : object
        A table (or the path of one) with a column of paths, or of identifiers that are
        in the names of the files in ``folder``; arrays on one wavelength axis: a
        mapping or ``.npz`` file with ``wavelength``, ``flux`` and optionally ``error``
        and ``mask``, or a ``SpectrumCollection``; or all that
        `~astro_latent.predict_parameters` takes.
    labels : sequence of str, optional
        Columns to learn. ``<label>_error`` beside them enters the likelihood; a label
        that is NaN or masked for a star is left out for that star. Without labels a
        ``disentangled_autoencoder`` learns to encode the spectra.
    table : `~astropy.table.Table`, optional
        Where the labels are, if not in ``spectra``: one row for each spectrum, or
        matched by ``obs_id``.
    folder : path-like, optional
        What paths in a table begin at, or where identifiers are looked for.
    output : path-like, optional
        Folder of weights to write, which `~astro_latent.load_model` takes; without it
        the model exists in memory only.
    architecture : str, optional
        A name in `~astro_latent.models.ARCHITECTURES`: ``residual_mlp`` (by default),
        ``starnet``, ``shallow_nn``, ``deep_nn``, ``shallow_cnn``, ``deep_cnn`` or your
        own.
    arguments : mapping, optional
        Arguments of the architecture that differ from what suits the spectra.
    members : int, optional
        Networks of an ensemble, whose disagreement is part of the errors; by default
        one, or as many as the weights have that the training begins with.
    from_weights : str, path-like or SpectralModel, optional
        Weights to begin with. Their grid and recipe are kept if the spectra cover the
        grid; else layers that meet the pixels are resampled or trained again. Labels
        that they lack get new rows of the head. Fewer than 300 spectra, of five stars
        or more, which may cover no more than two fifths of the grid, teach nothing but
        a correction of what the weights say, as large as the evidence asks for; none is
        held out, and options of a fit have no effect, which a warning says. The card
        says which of these was done.
    grid : SpectralGrid or str, optional
        By default that of the spectra.
    recipe : Recipe, mapping or str, optional
        How spectra are prepared; by default medium and frame are matched, pixels
        resampled, and the flux divided by its median.
    facts : mapping, optional
        ``medium``, ``frame``, ``resolving_power`` and ``survey`` of the spectra, where
        they do not say it themselves.
    radial_velocity : float, array_like, Quantity or str, optional
        Velocities of the stars in the frame of the spectra, km/s: one for all, one
        each, or the column that holds them (``z`` is a redshift). The grid is then at
        rest.
    star : str, optional
        Column that tells stars apart; by default found by its name, or by position.
    split : str or sequence of str, optional
        ``train``, ``validation`` or ``held_out`` for each spectrum, or the column that
        says it; by default stars are drawn by ``seed``. ``outside`` are spectra that
        teach no labels, but what to flag.
    held_out, validation : float, optional
        Shares of the stars that calibrate the errors, and that choose the epoch: a
        tenth each; of fewer than 1,000 stars a fifth is held out, of fewer than 100
        none chooses the epoch.
    folds : int, optional
        Hold no star out: so many trainings each leave out other stars, which calibrate
        the errors, and the model learns from all. For samples too small to spare any;
        takes ``folds + 1`` times as long. A ``split`` then says no more than ``train``,
        ``validation`` and ``outside``.
    augment : Augmentation or mapping, optional
        What is done to training spectra: ``noise``, ``missing``, ``velocity``,
        ``continuum``, ``resolution``; see `~astro_latent.training.Augmentation`.
    price_per_nat : float, optional
        Without labels: mean absolute residual, in units of the prepared flux, that one
        nat in one latent has to save. A higher price leaves fewer latents that tell
        anything; the default is that of Sedaghat et al. (2021).
    limits : mapping, optional
        Label to lowest and highest value that may be believed; by default the range of
        the training set. Stars beyond still teach, and what is found beyond is
        flagged.
    false_alarms : float, optional
        Share of stars like those of the training that may be flagged as unlike them.
    about : mapping, optional
        ``title``, ``description``, ``survey``, ``version``, ``licence``, ``citation``
        and texts of the card (``intended_use``, ``out_of_scope``, ``limitations``).
    dtype : {"float32", "float16"}, optional
        How matrices are stored.
    seed : int, optional
        Of the split, the first weights, the order and the noise.
    work : path-like, optional
        Folder for prepared spectra and checkpoints; a training that was stopped goes
        on when called again. By default ``<output>.work``.
    device : str, optional
        Accelerator of Lightning: ``"cpu"``, ``"gpu"``, ``"auto"``.
    overwrite : bool, optional
        Replace weights in ``output``.
    progress : bool, optional
        Show bars; by default as configured.
    **options
        Fields of `~astro_latent.training.FitOptions`, such as ``epochs``.

    Returns
    -------
    SpectralModel
        The model; its card says what it learned from and how well it does.

    Raises
    ------
    ValueError
        If a label teaches nothing, if there are too few stars, if spectra and labels
        cannot be matched, or if ``folds`` are asked for beside stars to hold out.
    GridMismatchError
        If the spectra are of two kinds.
    UnknownNameError
        If a column, architecture, recipe, option or text about it does not exist.
    TypeError
        If an argument is of another kind, such as a list where a mapping belongs.
    ImportError
        If what the extra ``train`` installs is not there.
    FileExistsError
        If there are weights in ``output``.

    Examples
    --------
    >>> from astro_latent import train_model
    >>> model = train_model(
    ...     "stars.ecsv", ["teff", "logg"], output="my_survey_v1"
    ... )  # doctest: +SKIP
    """
    check_kinds(locals())
    output = check_place(output, overwrite=overwrite)
    labels = [labels] if isinstance(labels, str) else list(labels or ())
    check_texts(
        labels, about=about, limits=limits, false_alarms=false_alarms, dtype=dtype
    )
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(work or (f"{output}.work" if output else scratch))
        job = set_up(
            spectra, labels, work=place,
            table=table, folder=folder, architecture=architecture, arguments=arguments,
            members=members, from_weights=from_weights, grid=grid, recipe=recipe,
            facts=facts, radial_velocity=radial_velocity, star=star, split=split,
            held_out=held_out, validation=validation, folds=folds, augment=augment,
            price_per_nat=price_per_nat, seed=seed, device=device, progress=progress,
            **options,
        )  # fmt: skip
        return finish_training(
            job, output or Path(scratch, f"own_{job.architecture}_v1"),
            dict(about or {}),
            limits or {}, false_alarms=false_alarms, dtype=dtype, overwrite=overwrite,
            folds=folds or 0,
        )  # fmt: skip


def finish_training(
    job: Job,
    output: Path,
    about: Mapping[str, Any],
    limits: Mapping[str, Sequence[float | None]],
    *,
    false_alarms: float,
    dtype: str,
    overwrite: bool,
    folds: int = 0,
) -> SpectralModel:
    """Fit, calibrate, write the folder of weights, and load it.

    Parameters
    ----------
    job : Job
        What is to be fitted; its checkpoints are removed when all is done.
    output : Path
        The folder.
    about, limits, false_alarms, dtype, overwrite, folds
        As for `train_model`.

    Returns
    -------
    SpectralModel
        The model.
    """
    plan, others = job.plan, job.folds(folds)
    corrected = job.correct() if job.is_corrected else []
    found = [network for network, _ in corrected] or job.run()
    networks = [round_network(network, dtype) for network in found]
    record = describe_weights(job, output.name, about, limits)
    held_out = plan.rows(PARTS[2])
    if isinstance(job.task, LatentTask):
        done = judge_encoder(record, networks, plan.file, held_out=held_out)
    else:
        across = None
        if folds:
            record["training"]["held out"] = f"each star once, by {folds} trainings"
            across = judge_across(others, about)
        elif corrected and not len(held_out):
            record["training"]["held out"] = "each star once"
            left_out = [left for _, left in corrected]
            across = judge_left_out(record, networks, job, left_out)
        done = calibrate_model(
            record, networks, plan.file, plan.targets,
            train=plan.rows(PARTS[0]), rows=held_out, stars=plan.stars,
            outside=plan.rows(OUTSIDE),
            others=across, like=job.beginning if corrected else None,
            false_alarms=false_alarms,
        )  # fmt: skip
    model = done.model
    record = {
        key: value
        for key, value in model.config.to_dict().items()
        if key not in ("schema_version", "members", "weights")
    }
    save_weights(
        output, networks, record, dtype=dtype, domain_mean=model.domain_mean,
        domain_whitening=model.domain_whitening, overwrite=overwrite,
    )  # fmt: skip
    _write_tables(output, done, job)
    for done_with in (job, *others):
        shutil.rmtree(done_with.folder, ignore_errors=True)
    return load_model(output, device="cpu")


def _write_tables(output: Path, done: Finished, job: Job) -> None:
    """Write what held-out stars say, what was left out, and the losses."""
    for name, table in (
        (SCORES_FILE, done.scores),
        (PREDICTIONS_FILE, done.predictions),
        (OMISSIONS_FILE, job.plan.omissions.table()),
        (LOG_FILE, job.logs()),
    ):
        write_table(table, output / name, overwrite=True)
