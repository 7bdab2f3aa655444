# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Say in a VOTable, in the words of MIVOT, which columns are the position.

The annotation maps the main identifier and position to an ``EpochPosition`` of the
MANGO model. The mapping is given, not guessed: pyvo's own guess also takes times of
observation for epochs of positions.
"""

from typing import TYPE_CHECKING

from astropy.io.votable import tree
from astropy.utils import minversion

if TYPE_CHECKING:
    from pyvo.mivot.writer import InstancesFromModels

__all__ = ["annotate_position"]

_SEMANTICS = {
    "description": "Position",
    "uri": "https://www.ivoa.net/rdf/uat#astronomical-location",
    "label": "Astronomical location",
}


def annotate_position(document: tree.VOTableFile) -> None:
    """Add a MIVOT block to a document.

    Parameters
    ----------
    document : `~astropy.io.votable.tree.VOTableFile`
        Version 1.4 or later, one table with a main identifier and a main position.

    Raises
    ------
    ValueError
        If the table has not exactly one of each, or the version is too old.
    ImportError
        If pyvo is too old.
    """
    if document.version == "1.3":
        msg = "MIVOT annotations need version 1.4 of VOTable or later, not 1.3"
        raise ValueError(msg)
    table = next(iter(document.iter_tables()))
    identifier, ra, dec = (
        _main_field(table, ucd) for ucd in ("meta.id", "pos.eq.ra", "pos.eq.dec")
    )
    systems = {system.ID: system for system in document.iter_coosys()}
    system = systems.get(ra.ref)
    builder = _start_annotation(document, identifier.ID)
    frame = builder.add_simple_space_frame(
        spaceRefFrame=str(getattr(system, "system", None) or "ICRS"),
        refPosition="BARYCENTER",
        equinox=getattr(system, "equinox", None),
        epoch=getattr(system, "epoch", None),
    )
    builder.add_mango_epoch_position(
        frames={"spaceSys": {"dmid": frame}},
        mapping={
            "longitude": ra.ID,
            "latitude": dec.ID,
            "errors": {},
            "correlations": {},
        },
        semantics=_SEMANTICS,
    )
    # The schema would have to be fetched.
    builder.pack_into_votable(schema_check=False)


def _main_field(table: tree.TableElement, ucd: str) -> tree.Field:
    fields = [field for field in table.fields if field.ucd == f"{ucd};meta.main"]
    if len(fields) != 1:
        msg = f"MIVOT needs one column with UCD {ucd};meta.main, not {len(fields)}"
        raise ValueError(msg)
    return fields[0]


def _start_annotation(
    document: tree.VOTableFile, identifier: str
) -> "InstancesFromModels":
    if not minversion("pyvo", "1.8"):  # always fetches the schema
        msg = "MIVOT annotations need pyvo 1.8: python -m pip install 'pyvo>=1.8'"
        raise ImportError(msg)
    from pyvo.mivot.writer import InstancesFromModels
    from pyvo.utils import activate_features

    activate_features("MIVOT")
    return InstancesFromModels(document, dmid=identifier)
