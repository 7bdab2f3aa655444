# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Saving and loading of weights: what does not agree is refused by name."""

import functools
import hashlib
import http.server
import json
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from astro_latent import conf
from astro_latent.exceptions import (
    AstroLatentWarning,
    UnknownNameError,
    WeightsError,
    WeightsIntegrityError,
    WeightsNotFoundError,
)
from astro_latent.models import (
    check_reference,
    find_weights,
    list_models,
    load_model,
    save_weights,
)
from astro_latent.models.architectures.starnet import StarNet


def rewrite(folder, content):
    """Replace the tensor file, with a configuration that vouches for it."""
    (folder / "model.safetensors").write_bytes(content)
    change_config(folder, sha256=hashlib.sha256(content).hexdigest())


def change_config(folder, **weights):
    path = folder / "config.json"
    record = json.loads(path.read_text())
    record["weights"].update(weights)
    path.write_text(json.dumps(record))


def change_tensors(folder, change):
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    change(tensors)
    rewrite(folder, safetensors.torch.save(tensors))


def test_saved_weights_come_back_exactly(save, label_config):
    torch.manual_seed(4)
    network = StarNet(**label_config["arguments"])
    network.pixel_mean.uniform_()
    model = save(network, label_config)
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.members[0].state_dict()[name], tensor)


def test_half_precision_is_stored_small_and_used_in_full(label_config, tmp_path):
    network = StarNet(**label_config["arguments"])
    network.pixel_mean.uniform_()
    folder = save_weights(tmp_path / "half_v1", network, label_config, dtype="float16")
    model = load_model(folder, device="cpu")
    parameter = model.members[0].dense[0].weight
    assert parameter.dtype == torch.float32
    torch.testing.assert_close(parameter, network.dense[0].weight, rtol=1e-3, atol=1e-6)
    assert torch.equal(model.members[0].pixel_mean, network.pixel_mean)
    assert model.config.weights["size"] < 0.6 * 4 * sum(
        p.numel() for p in network.parameters()
    )


def test_half_precision_overflow_is_refused(label_config, tmp_path):
    network = StarNet(**label_config["arguments"])
    network.output.weight.data.fill_(1e5)
    with pytest.raises(ValueError, match=r"'output.weight' is not finite in .*float16"):
        save_weights(tmp_path / "x", network, label_config, dtype="float16")
    with pytest.raises(ValueError, match="'float32' or 'float16', not 'int8'"):
        save_weights(tmp_path / "x", network, label_config, dtype="int8")


def test_published_weights_are_never_edited(label_folder, label_config):
    with pytest.raises(FileExistsError, match="choose the next version"):
        save_weights(label_folder, StarNet(n_pixels=320, n_labels=2), label_config)


def test_what_goes_wrong_leaves_the_old_weights_whole(
    label_folder, label_config, monkeypatch
):
    (label_folder / "notes.txt").write_text("my own")
    before = {p.name: p.read_bytes() for p in label_folder.iterdir()}
    new = StarNet(**label_config["arguments"])

    def fail(*args, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("astro_latent.models.saving.write_reference", fail)
        with pytest.raises(OSError, match=r"cannot be written: No space left"):
            save_weights(label_folder, new, label_config, overwrite=True)
    assert {p.name: p.read_bytes() for p in label_folder.iterdir()} == before
    assert [p.name for p in label_folder.parent.iterdir()] == [label_folder.name]
    save_weights(label_folder, new, label_config, overwrite=True)
    after = {p.name: p.read_bytes() for p in label_folder.iterdir()}
    assert after["model.safetensors"] != before["model.safetensors"]
    assert after["notes.txt"] == b"my own"


def test_loading_leaves_the_callers_random_numbers_alone(label_folder):
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    load_model(label_folder, device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_changed_bytes_are_refused(label_folder):
    path = label_folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(WeightsIntegrityError, match=r"model\.safetensors .* SHA-256"):
        load_model(label_folder)


def test_a_pickle_under_another_name_is_refused_unread(label_folder, tmp_path):
    witness = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return witness.touch, ()

    rewrite(label_folder, pickle.dumps(Bomb()))
    with pytest.raises(WeightsIntegrityError, match="is not a safetensors file"):
        load_model(label_folder)
    assert not witness.exists()


def test_missing_and_unexpected_tensors_are_named(label_folder):
    def rename(tensors):
        tensors["output.wieght"] = tensors.pop("output.weight")

    change_tensors(label_folder, rename)
    match = r"missing: output\.weight; unexpected: output\.wieght"
    with pytest.raises(WeightsIntegrityError, match=match):
        load_model(label_folder)


def test_tensors_of_another_shape_are_named(label_folder):
    def shorten(tensors):
        tensors["output.bias"] = tensors["output.bias"][:1]

    change_tensors(label_folder, shorten)
    match = r"output\.bias \(1,\) instead of \(2,\)"
    with pytest.raises(WeightsIntegrityError, match=match):
        load_model(label_folder)


def test_tensors_that_are_not_finite_are_named(label_folder):
    change_tensors(label_folder, lambda tensors: tensors["output.bias"].fill_(np.nan))
    with pytest.raises(WeightsIntegrityError, match=r"'output\.bias' is not finite"):
        load_model(label_folder)


def test_finite_tensors_may_have_a_sum_that_is_not(label_folder):
    change_tensors(label_folder, lambda tensors: tensors["output.bias"].fill_(3e38))
    bias = load_model(label_folder, device="cpu").members[0].output.bias
    assert bias.isfinite().all()
    assert not bias.sum().isfinite()


def test_reference_outputs_are_reproduced(label_model, autoencoder):
    assert check_reference(label_model) <= 1e-2
    assert check_reference(autoencoder) <= 1e-2


def test_other_weights_fail_the_reference(label_model):
    label_model.members[0].output.bias[0] += 0.01
    with pytest.raises(WeightsIntegrityError, match="'values' of 'tiny_v1' on cpu"):
        check_reference(label_model)


def test_a_missing_reference_is_an_error(label_model, label_folder):
    (label_folder / "reference.ecsv").unlink()
    with pytest.raises(WeightsNotFoundError, match=r"reference\.ecsv does not exist"):
        check_reference(label_model)


def test_unknown_names_list_near_ones(label_folder):
    with (
        conf.set_temp("weights_dir", str(label_folder.parent)),
        pytest.raises(UnknownNameError, match=r"Did you mean .*'tiny_v1'"),
    ):
        load_model("tiny_v2")


def test_paths_without_weights_are_not_names(tmp_path):
    with pytest.raises(WeightsNotFoundError, match=r"it has no config\.json"):
        load_model(tmp_path)
    with pytest.raises(WeightsNotFoundError, match=r"it has no config\.json"):
        load_model("./tiny_v1")


def test_names_are_found_in_weights_dir_newest_first(label_folder, label_config):
    root = label_folder.parent
    network = StarNet(**label_config["arguments"])
    for version in (2, 10):
        name = f"tiny_v{version}"
        save_weights(root / name, network, {**label_config, "name": name})
    with conf.set_temp("weights_dir", str(root)):
        assert find_weights("tiny").name == "tiny_v10"
        assert find_weights("tiny_v2").name == "tiny_v2"
        assert {"tiny_v1", "tiny_v2", "tiny_v10"} <= set(list_models()["name"])
        assert load_model("tiny", device="cpu").name == "tiny_v10"


def test_a_folder_here_needs_no_separator_but_does_not_hide_known_weights(
    label_folder, monkeypatch
):
    monkeypatch.chdir(label_folder.parent)
    assert find_weights("tiny_v1") == Path("tiny_v1")
    assert load_model("tiny_v1").name == "tiny_v1"
    label_folder.rename(label_folder.parent / "gaia_xp_starnet_v1")
    assert find_weights("gaia_xp_starnet_v1").is_absolute()


def test_a_broken_folder_does_not_hide_the_others(label_folder):
    broken = label_folder.parent / "broken_v1"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    with (
        conf.set_temp("weights_dir", str(label_folder.parent)),
        pytest.warns(AstroLatentWarning, match=r"broken_v1.config\.json: 'schema_ver"),
    ):
        assert "tiny_v1" in list_models()["name"]


def test_arguments_that_do_not_fit_are_named(label_folder):
    path = label_folder / "config.json"
    record = json.loads(path.read_text())
    record["arguments"]["n_layers"] = 3
    path.write_text(json.dumps(record))
    with pytest.raises(WeightsError, match=r"config\.json: 'arguments' do not fit"):
        load_model(label_folder)
    del record["arguments"]["n_layers"]
    record["arguments"]["n_labels"] = 5
    path.write_text(json.dumps(record))
    with pytest.raises(WeightsError, match=r"'outputs' gives 2, .* network with 5"):
        load_model(label_folder)


@pytest.fixture
def server(tmp_path):
    """Serve a folder on this machine."""
    root = tmp_path / "served"
    root.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield root, f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def move_to_server(folder, root, urls):
    (folder / "model.safetensors").rename(root / "model.safetensors")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "origin": urls}))


def test_missing_tensors_are_fetched_once_and_checked(label_folder, server):
    root, url = server
    urls = [f"{url}/absent", f"{url}/model.safetensors"]
    move_to_server(label_folder, root, urls)
    assert check_reference(load_model(label_folder, device="cpu")) <= 1e-2
    (root / "model.safetensors").unlink()
    load_model(label_folder, device="cpu")  # from the cache


def test_a_wrong_download_is_refused_and_forgotten(label_folder, server):
    root, url = server
    move_to_server(label_folder, root, [f"{url}/model.safetensors"])
    good = (root / "model.safetensors").read_bytes()
    (root / "model.safetensors").write_bytes(good[:-4])
    with pytest.raises(WeightsIntegrityError, match=r"http://127\.0\.0\.1.*SHA-256"):
        load_model(label_folder, device="cpu")
    (root / "model.safetensors").write_bytes(good)
    assert load_model(label_folder, device="cpu").name == "tiny_v1"


def test_a_file_that_is_nowhere_is_an_error_with_reasons(label_folder, server):
    root, url = server
    move_to_server(label_folder, root, [f"{url}/absent"])
    with pytest.raises(WeightsNotFoundError, match=r"absent: HTTP Error 404"):
        load_model(label_folder, device="cpu")
    move_config = json.loads((label_folder / "config.json").read_text())
    (label_folder / "config.json").write_text(json.dumps({**move_config, "origin": []}))
    with pytest.raises(WeightsNotFoundError, match="names no origin"):
        load_model(label_folder, device="cpu")
