"""Units in dex are set aside while Astropy parses, and nothing else changes."""

import io
import warnings

import pytest
from astropy.io import votable

from astro_latent.tables.votable import dex

ROWS = "<DATA><TABLEDATA><TR><TD>4.4</TD><TD>dex</TD></TR></TABLEDATA></DATA>"
FIELDS = (
    '<FIELD name="logg" ID="a" datatype="float" unit="dex" ucd="phys.gravity"/>'
    '<FIELD name="name" ID="b" datatype="char" arraysize="*"/>'
)
OTHERS = {
    "plain": (FIELDS, ""),
    "a comment with a column": (f"<!-- {FIELDS} -->{FIELDS}", ""),
    "a name with the words": (
        FIELDS.replace('name="name"', "name=' unit=\"dex\"'"),
        "",
    ),
    "two tables": (FIELDS, f"<TABLE>{FIELDS}{ROWS}</TABLE>"),
    "a velocity": (FIELDS.replace('ID="b"', 'ID="b" unit="km.s**-1"'), ""),
    "no dex": (FIELDS.replace('unit="dex"', ""), ""),
}


@pytest.mark.parametrize("case", OTHERS)
def test_columns_are_those_of_astropy(case):
    fields, more = OTHERS[case]
    text = (
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>'
        f"<TABLE>{fields}{ROWS}</TABLE>{more}</RESOURCE></VOTABLE>"
    ).encode()
    with warnings.catch_warnings(action="ignore"):
        expected = votable.parse(io.BytesIO(text), verify="ignore")
    found = dex.parse_columns(text)
    kinds = ("name", "ID", "unit", "ucd", "datatype")
    for mine, theirs in zip(found.iter_tables(), expected.iter_tables(), strict=True):
        for one, other in zip(mine.fields, theirs.fields, strict=True):
            seen, told = ([str(getattr(f, k)) for k in kinds] for f in (one, other))
            assert seen == told
        assert mine.array.tolist() == theirs.array.tolist()


def test_astropy_is_not_asked_what_dex_is(monkeypatch):
    text = f"<VOTABLE><RESOURCE><TABLE>{FIELDS}{ROWS}</TABLE></RESOURCE></VOTABLE>"
    asked, parse = [], dex._parse
    monkeypatch.setattr(dex, "_parse", lambda text: asked.append(text) or parse(text))
    table = dex.parse_columns(text.encode()).get_first_table()
    assert str(table.fields[0].unit) == "dex"
    assert len(asked) == 1
    assert b'"dex"' not in asked[0]
    assert table.array["b"].tolist() == ["dex"]
