# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The sample archive that comes with the package: simulated spectra."""

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS"]

#: Names of surveys -> their classes.
SURVEYS = {
    "sample": "astro_latent.surveys.sample.survey:SampleSurvey",
}
#: Names of file formats -> how they are told and read.
FORMATS: dict[str, str] = {}

#: Names of file formats -> what lays out an example.
EXAMPLES: dict[str, str] = {}
