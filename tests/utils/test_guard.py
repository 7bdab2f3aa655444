# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Behind a guard there is one kind of error, and it stays what it was."""

import pytest

from astro_latent.exceptions import FileLimitError, SpectrumReadError
from astro_latent.utils.guard import guarding


def test_an_error_with_parameters_of_its_own_keeps_its_class():
    """The name of the file is no UTF-8, so that the text is written anew."""
    with (
        pytest.raises(FileLimitError, match=r"caf\\xe9\.fits: holds more") as caught,
        guarding("caf\udce9.fits", SpectrumReadError),
    ):
        raise FileLimitError("caf\udce9.fits", "holds more than 1 MB", "max_file_size")
    assert caught.value.item == "max_file_size"
    assert str(caught.value).isprintable()


def test_others_become_the_kind_that_is_asked_for():
    with (
        pytest.raises(
            SpectrumReadError, match=r"a\.fits: cannot be read \(KeyError"
        ) as caught,
        guarding("a.fits", SpectrumReadError),
    ):
        raise KeyError("BITPIX")
    assert type(caught.value) is SpectrumReadError
