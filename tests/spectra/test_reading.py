"""Bad input becomes flagged rows in their places; sources of all kinds are read."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import (
    Observation,
    SpectrumArrays,
    decode_flags,
    iter_arrays,
    read_arrays,
    read_spectra,
    to_spectrum,
)
from astro_latent.spectra.formats import read_file


def flags(arrays):
    return decode_flags(arrays.observation.flags)


def unreadable(source, **options):
    (found,) = iter_arrays(source, **options)
    assert flags(found) == ["UNREADABLE"]
    assert found.flux.size == found.wavelength.size == found.mask.size == 0
    return found.observation


def test_truncated_file_is_a_flagged_row(samples, tmp_path):
    path = tmp_path / "half.fits"
    path.write_bytes(samples["apstar"].read_bytes()[:90_000])
    known = unreadable(path)
    assert known.obs_id == "half"
    assert known.source == str(path)
    assert "truncated" in known.message
    with pytest.raises(SpectrumReadError, match=r"half\.fits: truncated"):
        list(iter_arrays(path, on_error="raise"))


def test_folder_without_spectra(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    assert "holds no file ending in .fits" in unreadable(tmp_path).message


def test_folder_is_no_file(tmp_path):
    with pytest.raises(SpectrumReadError, match="is a folder, not a file"):
        read_arrays(tmp_path)


def test_a_name_that_none_can_have(tmp_path):
    with pytest.raises(SpectrumReadError, match="aaa"):
        read_file(tmp_path / ("a" * 300 + ".fits"), None, {})


def test_pattern_without_match(tmp_path):
    assert "no file matches" in unreadable(str(tmp_path / "*.fits")).message


def test_empty_file(tmp_path):
    (tmp_path / "empty.fits").touch()
    assert "the file is empty" in unreadable(tmp_path / "empty.fits").message


def test_votable_that_is_no_spectrum(tmp_path):
    path = tmp_path / "stars.vot"
    Table({"name": ["a", "b"], "mag": [1.0, 2.0]}).write(path, format="votable")
    assert "no spectrum found" in unreadable(path).message


def test_image_that_is_no_spectrum(tmp_path):
    fits.writeto(tmp_path / "image.fits", np.ones((20, 30)))
    assert "no spectrum found" in unreadable(tmp_path / "image.fits").message


@pytest.mark.parametrize("value", [np.nan, 0.0, -5.0, -np.inf])
@pytest.mark.parametrize("name", ["harps_s1d", "apstar", "eso_phase3", "lamost_lrs"])
def test_no_signal(example, grid, name, value):
    flux = np.full(grid(name).size, value, dtype=np.float32)
    (found,) = read_arrays(example(name, flux=flux)[0])
    assert "NO_SIGNAL" in flags(found)
    assert "no pixel with finite, positive" in found.observation.message


def test_absurd_blocks_are_masked(example, rng):
    flux = rng.normal(1000, 10, 6000).astype(np.float32)
    flux[2000:2500] = rng.choice([-1, 1], 500) * 10 ** rng.uniform(0, 21, 500)
    (found,) = read_arrays(example("harps_s1d", flux=flux)[0])
    assert "CORRUPT_FLUX" in flags(found)
    assert found.mask[2000:2500].mean() > 0.99
    assert not found.mask[:1900].any()
    assert not found.mask[2600:].any()
    assert np.median(found.sigma[~found.mask]) == pytest.approx(10, rel=0.1)


def test_strong_lines_are_not_absurd(example, rng):
    flux = rng.normal(1, 0.1, 6000)
    flux[3000] = 1e5  # a laser line or cosmic: large, not impossible
    (found,) = read_arrays(example("harps_s1d", flux=flux)[0])
    assert "CORRUPT_FLUX" not in flags(found)


def rewrite_wavelengths(path, change):
    with fits.open(path, mode="update") as hdus:
        wave = hdus[1].data["WAVE"]
        wave[0] = change(wave[0].copy())


def test_descending_wavelengths_are_turned_round(example):
    path, wavelength, flux = example("eso_phase3")
    rewrite_wavelengths(path, lambda wave: wave[::-1])
    (found,) = read_arrays(path)
    np.testing.assert_array_equal(found.wavelength, wavelength)
    np.testing.assert_array_equal(found.flux, flux[::-1])


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (11, lambda w: w[10], "repeats at pixel 11"),
        (11, lambda w: w[3], "turns back at pixel 11"),
        (0, lambda w: -1.0, "must be positive"),
        (slice(None), lambda w: np.nan, "no wavelength is finite"),
    ],
)
def test_impossible_wavelengths(example, at, value, message):
    path, _, _ = example("eso_phase3")

    def change(wave):
        wave[at] = value(wave)
        return wave

    rewrite_wavelengths(path, change)
    assert message in unreadable(path).message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_without_wavelength_are_dropped(example, value):
    path, wavelength, flux = example("eso_phase3")

    def change(wave):
        wave[[4, 99]] = value
        return wave

    rewrite_wavelengths(path, change)
    (found,) = read_arrays(path)
    np.testing.assert_array_equal(found.wavelength, np.delete(wavelength, [4, 99]))
    np.testing.assert_array_equal(found.flux, np.delete(flux, [4, 99]))
    assert "2 pixels had no wavelength" in found.observation.message


def test_batch_keeps_order_and_count(samples, tmp_path):
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"SIMPLE  = nonsense")
    good = [samples["apstar"], samples["harps_s1d"], samples["lamost_lrs"]]
    paths = [*good, bad, *good, tmp_path / "none.fits", *good * 30, tmp_path, *good]
    found = list(iter_arrays(paths))
    assert len(found) == len(paths)
    wrong = [i for i, one in enumerate(found) if flags(one) == ["UNREADABLE"]]
    # tmp_path is a folder: its one file, bad.fits, stands for it
    assert wrong == [3, 7, 98]
    stems = [path.name.removesuffix(".fits") for path in good]
    assert [one.observation.obs_id for one in found[:3]] == stems
    assert [one.observation.obs_id for one in found[-3:]] == stems


def test_read_spectra_keeps_bad_ones_in_place(samples, tmp_path):
    found = read_spectra([samples["apstar"], tmp_path / "no.fits"], progress=False)
    assert type(found).__name__ == "SpectrumList"
    assert [spectrum.flux.size for spectrum in found] == [8575, 0]
    assert decode_flags(found[1].meta["observation"].flags) == ["UNREADABLE"]
    with pytest.raises(SpectrumReadError, match=r"no\.fits"):
        read_spectra([tmp_path / "no.fits"], on_error="raise")
    (again,) = iter_arrays(found[1])
    assert flags(again) == ["UNREADABLE"]
    assert again.observation == found[1].meta["observation"]


def test_on_error_is_checked():
    with pytest.raises(ValueError, match=r"on_error must be one of .* not 'ignore'"):
        iter_arrays([], on_error="ignore")


def test_what_is_no_source():
    with pytest.raises(TypeError, match="cannot read spectra from int 3"):
        list(iter_arrays(3))


def test_folder_and_pattern(samples):
    folder = samples["apstar"].parent
    # a folder may hold catalogues as text: they are read when they are named
    names = [str(p) for p in sorted(samples.values()) if p.suffix != ".csv"]
    assert [s.observation.source for s in iter_arrays(folder)] == names
    found = iter_arrays(str(folder / "ap*.fits"))
    assert [s.observation.obs_id for s in found] == ["apstar", "apvisit"]


def test_objects_of_all_kinds(samples):
    from specutils import SpectrumCollection, SpectrumList

    arrays = read_arrays(samples["apstar"])[0]
    spectrum = to_spectrum(arrays)
    collection = SpectrumCollection.from_spectra([spectrum, spectrum])
    source = [arrays, spectrum, SpectrumList([spectrum]), collection, samples["apstar"]]
    found = list(iter_arrays(source))
    assert len(found) == 6
    for one in found:
        np.testing.assert_array_equal(one.flux, arrays.flux)


def test_rows_of_a_two_dimensional_spectrum():
    from specutils import Spectrum

    flux = np.arange(6.0).reshape(2, 3) + 1
    axis = [1, 2, 3] * u.um
    last = Spectrum(spectral_axis=axis, flux=flux * u.Jy, spectral_axis_index=1)
    first = Spectrum(spectral_axis=axis, flux=flux.T * u.Jy, spectral_axis_index=0)
    for spectrum in (last, first):
        assert [one.flux.tolist() for one in iter_arrays(spectrum)] == flux.tolist()


def test_table_overrides_what_files_say(samples):
    table = Table(
        {
            "local_path": [str(samples["apvisit"]), str(samples["apvisit"]), ""],
            "obs_id": ["one", "", "three"],
            "s_ra": [1.5, np.nan, 3.0],
            "s_dec": MaskedColumn([2.5, 9.0, 4.0], mask=[False, True, False]),
            "radial_velocity": [1000.0, 2000.0, np.nan] * u.m / u.s,
            "obs_publisher_did": ["ivo://x?1", "ivo://x?2", "ivo://x?3"],
        }
    )
    first, second, third = (one.observation for one in iter_arrays(table))
    assert (first.obs_id, first.ra, first.dec) == ("one", 1.5, 2.5)
    assert first.radial_velocity == 1.0
    assert (second.obs_id, second.ra, second.dec) == ("apvisit", 150.1, -30.2)
    assert second.radial_velocity == 2.0
    assert third.obs_id == "three"
    assert decode_flags(third.flags) == ["UNREADABLE"]
    assert third.obs_publisher_did == "ivo://x?3"


def test_table_renames_visits(example, grid, rng):
    flux = rng.normal(100, 1, (4, 8575))
    path, _, _ = example("apstar", flux=flux, wavelength=grid("apstar"))
    table = Table({"path": [str(path)], "obs_id": ["star"]})
    found = iter_arrays(table, visits=True)
    assert [one.observation.obs_id for one in found] == ["star#1", "star#2"]


def test_table_without_paths():
    with pytest.raises(ValueError, match="needs a column path"):
        list(iter_arrays(Table({"where": ["a"]})))


def test_observation_refuses_unknown_words():
    with pytest.raises(ValueError, match=r"medium must be one of .* not 'water'"):
        Observation(medium="water")
    with pytest.raises(
        ValueError, match=r"flux has shape \(2,\), wavelength has \(3,\)"
    ):
        SpectrumArrays(wavelength=np.ones(3), flux=np.ones(2), mask=np.ones(3, bool))


# real files


def test_every_real_file_is_read(real_data):
    folders = ("harps/s1d", "harps/alpha_cen_b", "harps/benchmark_stars")
    folders += ("harps/metal_poor", "apogee/spectra", "apogee/mdwarfs", "lamost")
    found = list(iter_arrays([real_data / folder for folder in folders]))
    assert len(found) == 59
    for one in found:
        assert not {"UNREADABLE", "NO_SIGNAL"} & set(flags(one)), one.observation
        # the blue end of a faint M dwarf is all noise
        assert (one.flux[~one.mask] > 0).mean() > 0.9
        assert one.mask.mean() < 0.25


def test_real_garbage_is_flagged(real_data):
    (path,) = real_data.glob("harps/s1d/Gl273*")
    (found,) = read_arrays(path)
    assert "CORRUPT_FLUX" in flags(found)
    assert np.abs(found.flux[~found.mask]).max() < 1e5


def test_alpha_cen_b_noise_agrees_with_the_pipeline(real_data):
    """Estimated S/N per pixel follows the photon noise that the DRS states."""
    estimated, stated = [], []
    for path in sorted(real_data.glob("harps/alpha_cen_b/*.fits")):
        (found,) = read_arrays(path)
        head = found.meta["header"]
        orders = [head[f"ESO DRS SPE EXT SN{order}"] for order in range(72)]
        estimated.append(found.observation.snr)
        stated.append(np.median(orders))
    ratio = np.array(estimated) / np.array(stated)
    assert np.corrcoef(estimated, stated)[0, 1] > 0.8
    assert np.all((ratio > 0.3) & (ratio < 2))


def test_visits_of_a_real_star_agree(real_data):
    (path,) = real_data.glob("apogee/spectra/apStar-r6-2M00005143*")
    (combined,) = read_arrays(path)
    visits = read_arrays(path, visits=True)
    assert len(visits) == 3
    for visit in visits:
        good = ~(combined.mask | visit.mask)
        ratio = visit.flux[good] / combined.flux[good]
        assert np.median(np.abs(ratio / np.median(ratio) - 1)) < 0.02


def test_blocks_that_are_copied_are_masked(rng):
    from astro_latent.spectra.corrupt import _find_frozen, _find_repeated

    flux = rng.normal(100, 1, 20_000).astype(np.float32)
    valid = np.ones(flux.size, dtype=bool)
    assert _find_repeated(flux, valid) is None
    assert _find_frozen(flux, valid) is None
    flux[12_000:13_000] = flux[3_000:4_000]
    truth = np.zeros(flux.size, dtype=bool)
    truth[3_000:4_000] = truth[12_000:13_000] = True
    np.testing.assert_array_equal(_find_repeated(flux, valid), truth)
    counts = np.round(flux)  # whole numbers coincide by chance
    assert _find_repeated(counts, valid) is None
    assert _find_frozen(counts, valid) is None


def test_frozen_pixels_are_masked(rng):
    from astro_latent.spectra.corrupt import _find_frozen

    flux = rng.normal(100, 1, 2_000)
    flux[500:900] = flux[500]
    found = _find_frozen(flux, np.ones(flux.size, dtype=bool))
    assert np.flatnonzero(found).tolist() == list(range(500, 900))
