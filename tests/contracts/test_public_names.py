# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The public names, so that none comes or goes unnoticed."""

from importlib import import_module
from inspect import isclass, isroutine
from pathlib import Path

import pytest

#: Changing this table is changing the interface: say so in CHANGES.rst.
PUBLIC = {
    "": """
        __version__ conf crossmatch decode_flags encode_spectra evaluate_model
        fetch_spectra get_survey list_models list_surveys load_model predict_object
        predict_parameters
        prepare_spectra query_object query_region read_spectra read_table
        reconstruct_spectra search_hyperparameters train_model
    """,
    "archives": """
        CORE_COLUMNS FileRequest FileResult OBSCORE_COLUMNS Survey conf download_files
        to_obscore
    """,
    "spectra": """
        EXAMPLE_FORMATS FATAL_FLAGS FORMATS FRAMES Format MEDIA NORMALISATIONS
        Observation QUALITY_FLAGS QualityFlag SpectraLike SpectrumArrays decode_flags
        estimate_noise from_spectrum identify_format iter_arrays iter_frame
        read_arrays read_spectra to_spectrum write_example
    """,
    "surveys": """
        FOLDERS SURVEYS fetch gather get_survey list_surveys query_adql query_object
        query_region query_targets
    """,
    "preparation": """
        APOGEE_CHEBYSHEV_RECIPE APOGEE_RECIPE GRIDS HARPS_RECIPE PreparedSpectra
        Recipe Resampler SpectralGrid Step Velocity air_to_vacuum doppler_factor
        get_grid iter_prepared measure_velocity prepare_spectra restore_spectrum
        vacuum_to_air
    """,
    "models": """
        ARCHITECTURES LabelModel LabelNetwork LatentModel LatentNetwork ModelLike
        SpectralModel check_reference find_weights hidden_vectors list_models load_model
        save_weights
    """,
    "latent": """
        Census LabelHandle LabelScore LatentIndex MonotoneRange MutualInformation
        NodeDispersion PUBLISHED_BINNINGS PUBLISHED_THRESHOLDS Probe Saliency
        Traversal VelocityScore WindowShare align_labels doppler_shift find_gap
        find_monotone_range fit_handles fit_probes histogram_information
        intervene map_latents mean_deviation measure_dispersion
        measure_mutual_information measure_saliency median_deviation
        neighbour_information one_per_star permuted_information prior_divergence
        probe_table read_handles read_windows score_label_handle
        score_velocity_node take_census traverse_node window_share write_handles
    """,
    "tables": """
        COLUMNS ColumnInfo LABELS ResultTable TableWriter check_table is_ucd is_vounit
        read_table send_to_samp to_wide write_resource write_table
    """,
    "pipeline": """
        add_results encode_spectra fetch_spectra iter_results predict_parameters
        provenance reconstruct_spectra
    """,
    "matching": """
        TapTable add_hats_results crossmatch footprint_moc predict_object
        resolve_positions write_hats
    """,
    "plotting": """
        HARPS_WINDOWS MapPanel SpectrumPanel plot_comparison plot_dispersion
        plot_importances plot_indicator plot_kiel plot_latent_label plot_map
        plot_mutual_information plot_posterior plot_reconstruction plot_saliency
        plot_search plot_spectrum plot_traversal
    """,
    "notebook": "Controls Explorer Session explore",
}


#: Names that stay importable where README and docs once showed them.
MOVED = {
    "archives": """
        SURVEYS fetch get_survey list_surveys query_adql query_object query_region
        query_targets
    """,
    "spectra": "fetch_spectra",
    "tables": """
        TapTable crossmatch encode_spectra footprint_moc iter_results
        predict_parameters resolve_positions write_hats
    """,
}


def room(name):
    return import_module(f"astro_latent.{name}".rstrip("."))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_the_agreed_ones(name):
    assert sorted(room(name).__all__) == PUBLIC[name].split()


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_exist_and_are_listed(name):
    module = room(name)
    missing = [item for item in module.__all__ if not hasattr(module, item)]
    assert missing == []
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_a_docstring_of_their_own(name):
    module = room(name)
    things = [getattr(module, item) for item in module.__all__]
    own = [thing for thing in things if isclass(thing) or isroutine(thing)]
    bare = [thing for thing in own if not thing.__doc__]
    assert bare == []


@pytest.mark.parametrize("name", PUBLIC)
def test_a_wrong_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = room(name).no_such_name


@pytest.mark.parametrize("name", MOVED)
def test_moved_names_are_still_found_in_their_old_room(name):
    for item in MOVED[name].split():
        homes = [other for other in PUBLIC if item in PUBLIC[other].split()]
        assert getattr(room(name), item) is getattr(room(homes[-1]), item)


_HOUSE = Path(import_module("astro_latent").__file__).parent
ROOMS = sorted(p.parent.relative_to(_HOUSE) for p in _HOUSE.rglob("__init__.py"))


@pytest.mark.parametrize("folder", ROOMS, ids=str)
def test_no_lazy_name_is_that_of_a_module(folder):
    """Importing the module would put it where the public name is looked for."""
    module = room(".".join(folder.parts))
    modules = {path.stem for path in Path(module.__file__).parent.glob("*.py")}
    assert modules.isdisjoint(getattr(module, "_HOMES", ()))
