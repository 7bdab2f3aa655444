# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files on this machine as a survey."""

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS"]

#: Names of surveys -> their classes.
SURVEYS = {
    "local": "astro_latent.surveys.local.survey:LocalSurvey",
}
#: Names of file formats -> how they are told and read.
FORMATS: dict[str, str] = {}

#: Names of file formats -> what lays out an example.
EXAMPLES: dict[str, str] = {}
