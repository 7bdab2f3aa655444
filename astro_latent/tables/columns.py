# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The only list of column names, units, UCDs and descriptions.

Names are part of the interface: a saved table must mean the same next year. UCDs
are UCD1+ words of the IVOA controlled vocabulary.
"""

from dataclasses import dataclass

__all__ = ["COLUMNS", "LABELS", "ColumnInfo"]


@dataclass(frozen=True)
class ColumnInfo:
    """Name, unit, UCD and description of one column.

    Parameters
    ----------
    name : str
        Column name.
    unit : str
        Astropy unit string; "" for none.
    ucd : str
        UCD1+ word.
    description : str
        One sentence.
    """

    name: str
    unit: str
    ucd: str
    description: str


def _by_name(*columns: ColumnInfo) -> dict[str, ColumnInfo]:
    return {column.name: column for column in columns}


#: Columns that every result has, in order, and those that depend on the model.
COLUMNS = _by_name(
    ColumnInfo("obs_id", "", "meta.id;meta.main", "Identifier of the spectrum"),
    ColumnInfo("target_name", "", "meta.id;src", "Name of the target in the source"),
    ColumnInfo("survey", "", "meta.dataset", "Survey or instrument"),
    ColumnInfo("ra", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS"),
    ColumnInfo("dec", "deg", "pos.eq.dec;meta.main", "Declination, ICRS"),
    ColumnInfo(
        "obs_time", "d", "time.epoch;obs.exposure", "Mid-exposure time, MJD (UTC)"
    ),
    ColumnInfo(
        "obs_publisher_did", "", "meta.ref.ivoid", "Dataset identifier of the publisher"
    ),
    ColumnInfo("snr", "", "stat.snr", "Median signal-to-noise ratio per pixel"),
    ColumnInfo(
        "velocity_used",
        "km/s",
        "spect.dopplerVeloc.opt",
        "Velocity by which the spectrum was shifted before the model saw it",
    ),
    ColumnInfo(
        "velocity_source",
        "",
        "meta.note",
        "Origin of that velocity: file, caller, cross-correlation, none",
    ),
    ColumnInfo("model", "", "meta.id", "Model that the results are from"),
    ColumnInfo("flags", "", "meta.code.qual", "Quality bits: notices and reservations"),
    ColumnInfo(
        "usable",
        "",
        "meta.code.qual",
        "True where no quality bit speaks against the results; notices do not",
    ),
    ColumnInfo("message", "", "meta.note", "Why the row is flagged"),
    ColumnInfo("latent", "", "stat.param", "Latent features: posterior mean per node"),
    ColumnInfo(
        "latent_error",
        "",
        "stat.stdev;stat.param",
        "Standard deviation of the latent posterior per node",
    ),
    ColumnInfo(
        "reconstruction_error",
        "",
        "stat.fit.residual",
        "Mean absolute residual of the reconstruction over the median flux",
    ),
    ColumnInfo(
        "label_covariance",
        "",
        "stat.covariance",
        "Covariance of the labels, row by row, in the order and units of their columns",
    ),
    ColumnInfo(
        "domain_score",
        "",
        "stat.likelihood",
        "Distance from the training set; 1 is the limit of what counts as inside",
    ),
)

_ELEMENTS = (
    "C", "N", "O", "Na", "Mg", "Al", "Si", "P", "S", "K", "Ca", "Ti", "V", "Cr", "Mn",
    "Co", "Ni", "Cu",
)  # fmt: skip

#: Stellar labels that models may predict. Errors are ``<label>_error`` (total),
#: ``<label>_error_statistical`` (within one sample), ``<label>_error_flux`` and
#: ``<label>_error_model``; of models that know it, ``<label>_interval_95`` is half of
#: the width within which 95 % of the stars lie, and of models that bring giants to the
#: scale of a catalogue, ``<label>_network`` is the label without that.
LABELS = _by_name(
    ColumnInfo("teff", "K", "phys.temperature.effective", "Effective temperature"),
    ColumnInfo("logg", "dex", "phys.gravity", "Log10 of surface gravity in cm/s2"),
    ColumnInfo("fe_h", "dex", "phys.abund.Fe", "Iron abundance [Fe/H], solar scale"),
    ColumnInfo("m_h", "dex", "phys.abund.Z", "Metallicity [M/H], solar scale"),
    ColumnInfo("alpha_fe", "dex", "phys.abund", "Alpha-element enhancement [alpha/Fe]"),
    ColumnInfo("alpha_m", "dex", "phys.abund", "Alpha-element enhancement [alpha/M]"),
    ColumnInfo("a_k", "mag", "phys.absorption;em.IR.K", "Extinction A(K)"),
    ColumnInfo("vmicro", "km/s", "phys.veloc.microTurb", "Microturbulent velocity"),
    ColumnInfo("vmacro", "km/s", "phys.veloc", "Macroturbulent broadening"),
    ColumnInfo("vsini", "km/s", "phys.veloc.rotat", "Projected rotation velocity"),
    ColumnInfo("rv", "km/s", "spect.dopplerVeloc.opt", "Radial velocity, barycentric"),
    ColumnInfo(
        "radial_velocity",
        "km/s",
        "spect.dopplerVeloc.opt",
        "Radial velocity, barycentric",
    ),
    *(
        ColumnInfo(
            f"{element.lower()}_h", "dex", "phys.abund", f"Abundance [{element}/H]"
        )
        for element in _ELEMENTS
    ),
)
