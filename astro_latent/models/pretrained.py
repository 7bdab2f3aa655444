# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Loading of weights: strict, hash-checked, never unpickled, never made up."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import safetensors.torch
import torch
from astropy.utils.data import clear_download_cache, download_file
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .._config import conf
from ..exceptions import WeightsError, WeightsIntegrityError, WeightsNotFoundError
from ..utils.guard import guarding
from .architectures import ARCHITECTURES
from .base import SpectralModel
from .config import ModelConfig
from .domain import BASIS_TENSORS, FluxBasis
from .inference import Runner
from .locate import find_weights
from .networks import kind_of

__all__ = ["choose_device", "load_model"]

FETCH_AGAIN = "correct it, or fetch the weights again"
#: Tensors beside those of the networks.
DOMAIN_TENSORS = ("domain.mean", "domain.whitening")
_DRAWS = (Tensor.normal_, Tensor.uniform_)


@torch.inference_mode(False)  # tensors of that mode have no derivatives
def load_model(
    name_or_path: str | os.PathLike,
    *,
    device: str | None = None,
    mixed_precision: bool = False,
) -> SpectralModel:
    """Load a model and its weights, checked against their configuration.

    Parameters
    ----------
    name_or_path : str or path-like
        A name from `~astro_latent.models.list_models`, with or without the version at
        its end, or the path of a folder of weights.
    device : str, optional
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; by default
        ``conf.device``.
    mixed_precision : bool, optional
        Let CUDA compute in bfloat16: faster, and only as accurate as that.

    Returns
    -------
    SpectralModel
        Ready to ``encode`` or ``predict``.

    Raises
    ------
    UnknownNameError
        If no weights have that name.
    WeightsNotFoundError
        If a file is missing and cannot be fetched.
    WeightsIntegrityError
        If the tensors are not those that the configuration describes.
    WeightsError
        If the configuration is not valid.
    ValueError
        If the device does not exist here.

    Examples
    --------
    >>> from astro_latent import load_model
    >>> load_model("apogee_starnt_v9")
    Traceback (most recent call last):
    ...
    astro_latent.exceptions.UnknownNameError: no model is called 'apogee_starnt_v9'...
    """
    runner = Runner(choose_device(device), mixed_precision=mixed_precision)
    folder = find_weights(name_or_path)
    config = ModelConfig.from_folder(folder)
    with guarding(folder, WeightsError, problem="cannot be loaded", remedy=FETCH_AGAIN):
        return _load(config, folder, runner)


def _load(config: ModelConfig, folder: Path, runner: Runner) -> SpectralModel:
    tensors, where = _read_tensors(config, folder)
    extra = [tensors.pop(name, None) for name in (*DOMAIN_TENSORS, *BASIS_TENSORS)]
    _check_sizes(config, tensors, where)
    members = [each.to(runner.device) for each in _build(config, config.members)]
    _fill(members, tensors, where)
    mean, whitening, *parts = (None if t is None else t.double().numpy() for t in extra)
    return SpectralModel(
        config,
        members,
        runner=runner,
        domain_mean=mean,
        domain_whitening=whitening,
        flux_basis=_flux_basis(parts, config, where),
    )


def _flux_basis(
    parts: list[np.ndarray | None], config: ModelConfig, where: str
) -> FluxBasis | None:
    """Put the tensors of the low-rank model together: all of them, or none."""
    arrays = [part for part in parts if part is not None]
    if not arrays:
        return None
    pixels = config.grid.n_pixels
    count = len(arrays[1]) if len(arrays) == len(parts) else 0
    shapes = [part.shape for part in arrays]
    if shapes != [(pixels,), (count, pixels), (count,), (pixels,)]:
        msg = (
            f"{where}: {', '.join(BASIS_TENSORS)} have the shapes {shapes}; mean, "
            f"components, spread and emission on {pixels} pixels are needed"
        )
        raise WeightsIntegrityError(msg)
    basis = FluxBasis(*arrays)
    if not np.all(basis.spread > 0):
        msg = f"{where}: 'domain.flux_spread' must be positive; {FETCH_AGAIN}"
        raise WeightsIntegrityError(msg)
    return basis


def tensor_names(members: int) -> list[str]:
    """Return what the tensor names of each member begin with.

    Parameters
    ----------
    members : int
        Number of networks.

    Returns
    -------
    list of str
        ``""`` for one network; ``"0."``, ``"1."``, ... for an ensemble, but for
        tensors that are the same in all members (see `shared_name`).
    """
    return [""] if members == 1 else [f"{index}." for index in range(members)]


def shared_name(name: str) -> str:
    """Return the name under which a tensor of all members is stored once.

    Parameters
    ----------
    name : str
        Of the tensor in a network.

    Returns
    -------
    str
        Its name in a tensor file.
    """
    return f"shared.{name}"


def _read_tensors(config: ModelConfig, folder: Path) -> tuple[dict[str, Tensor], str]:
    """Read the tensor file, found beside the configuration or fetched."""
    path = folder / config.weights["file"]
    if path.is_file():
        content, where = path.read_bytes(), str(path)
        _verify(config, content, where)
    else:
        content, where = _fetch(config, path)
    try:
        tensors = safetensors.torch.load(content)
    except (SafetensorError, ValueError) as error:
        msg = f"{where} is not a safetensors file ({error}); nothing else is loaded"
        raise WeightsIntegrityError(msg) from error
    for name, tensor in tensors.items():
        if not tensor.dtype.is_floating_point:
            msg = f"{where}: the tensor {name!r} is of {tensor.dtype}, not of numbers"
            raise WeightsIntegrityError(msg)
        tensors[name] = single = tensor.float()
        # a sum is infinite or NaN wherever a number is, and is found sooner
        if not single.sum().isfinite() and not single.isfinite().all():
            msg = f"{where}: the tensor {name!r} is not finite"
            raise WeightsIntegrityError(msg)
    return tensors, where


def _verify(config: ModelConfig, content: bytes, where: str) -> None:
    expected = config.weights["sha256"]
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        msg = (
            f"{where} ({len(content)} bytes) has the SHA-256 {found}, its "
            f"configuration says {expected} ({config.weights['size']} bytes): fetch it "
            "again"
        )
        raise WeightsIntegrityError(msg)


def _fetch(config: ModelConfig, path: Path) -> tuple[bytes, str]:
    """Fetch the tensor file through astropy's cache; the first good one wins."""
    problems = []
    for url in config.origin:
        try:
            cached = download_file(
                url,
                cache=True,
                timeout=conf.timeout,
                show_progress=conf.show_progress,
                pkgname="astro_latent",
            )
        except OSError as error:  # no route, no file, no answer in time
            problems.append(f"{url}: {error}")
            if isinstance(error, HTTPError):
                error.close()  # it holds the connection
            continue
        content = Path(cached).read_bytes()
        try:
            _verify(config, content, url)
        except WeightsIntegrityError:
            clear_download_cache(url, pkgname="astro_latent")
            raise
        return content, url
    tried = "; ".join(problems) or "its configuration names no origin"
    msg = f"{path} does not exist and could not be fetched: {tried}"
    raise WeightsNotFoundError(msg)


class _NoDraws(TorchFunctionMode):
    """Leave out the first values of weights: those of the file take their place.

    On the meta device they would load torch's compiler, which takes as long as torch.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if func in _DRAWS or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _check_sizes(config: ModelConfig, tensors: dict[str, Tensor], where: str) -> None:
    """Compare shapes before anything is allocated: arguments may ask for any size."""
    try:
        with torch.device("meta"):
            members = _build(config, 1) * config.members
    except WeightsError as error:
        if "meta" in str(error.__cause__).lower():  # it does more than to make tensors
            return
        raise
    _find_problems(members, tensors, where)


def _build(config: ModelConfig, count: int) -> list[nn.Module]:
    """Make the networks, leaving the caller's random numbers alone."""
    name = config.architecture
    if name not in ARCHITECTURES:
        msg = f"{config.source}: 'architecture' is {name!r}; known: {[*ARCHITECTURES]}"
        raise WeightsError(msg)
    architecture = ARCHITECTURES[name]
    problem = f"'arguments' do not fit {name}: {str(config.arguments)[:200]}"
    with (
        torch.random.fork_rng(devices=[]),
        _NoDraws(),
        guarding(config.source, WeightsError, problem=problem, remedy=FETCH_AGAIN),
    ):
        members = [architecture(**config.arguments) for _ in range(count)]
    network = members[0]
    kind_of(network, config.architecture)
    for key, of_network, of_config in (
        ("grid", network.n_pixels, config.grid.n_pixels),
        ("outputs", network.n_outputs, config.n_outputs),
    ):
        if of_network != of_config:
            msg = (
                f"{config.source}: {key!r} gives {of_config}, but 'arguments' make a "
                f"network with {of_network}"
            )
            raise WeightsError(msg)
    return members


def _fill(members: list[nn.Module], tensors: dict[str, Tensor], where: str) -> None:
    """Copy tensors into the networks; buffers that all share are one in memory."""
    wanted, once = _find_problems(members, tensors, where)
    for name, tensor in wanted.items():
        tensor.copy_(tensors[name])
    buffers = dict(members[0].named_buffers())
    for member in members[1:]:
        for name, tensor in member.state_dict().items():
            if shared_name(name) not in once:
                continue
            if name in buffers:
                path, _, leaf = name.rpartition(".")
                setattr(member.get_submodule(path), leaf, buffers[name])
            else:
                tensor.copy_(tensors[shared_name(name)])


def _find_problems(
    members: list[nn.Module], tensors: dict[str, Tensor], where: str
) -> tuple[dict[str, Tensor], set[str]]:
    """Return where the tensors go; their names and shapes must agree exactly."""
    once = {shared_name(name) for name in members[0].state_dict()} & {*tensors}
    wanted = {
        prefix + name: tensor
        for prefix, member in zip(tensor_names(len(members)), members, strict=True)
        for name, tensor in member.state_dict().items()
        if shared_name(name) not in once
    }
    for name, tensor in members[0].state_dict().items():
        if shared_name(name) in once:
            wanted[shared_name(name)] = tensor
    problems = {
        "missing": sorted(set(wanted) - set(tensors)),
        "unexpected": sorted(set(tensors) - set(wanted)),
        "of another shape": [
            f"{name} {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in tensors and tensors[name].shape != tensor.shape
        ],
    }
    text = "; ".join(
        f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names
    )
    if text:
        msg = f"{where} does not fit its configuration; tensors {text}"
        raise WeightsIntegrityError(msg)
    return wanted, once


def choose_device(name: str | None = None) -> torch.device:
    """Return the device to run on.

    Parameters
    ----------
    name : str, optional
        ``"auto"`` or a torch device; by default ``conf.device``. ``"auto"`` takes CUDA,
        else MPS, else the CPU.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If there is no such device here.

    Examples
    --------
    >>> from astro_latent.models.pretrained import choose_device
    >>> choose_device("cpu")
    device(type='cpu')
    """
    text = conf.device if name is None else str(name)
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if text == "auto":
        return torch.device(next(kind for kind, here in available.items() if here))
    kind, _, index = text.partition(":")
    here = available.get(kind, False)
    if here and index:
        count = torch.cuda.device_count() if kind == "cuda" else 1
        here = index.isdigit() and int(index) < count
    if not here:
        present = [kind for kind, here in available.items() if here]
        msg = f"device {text!r} is not available here; there is {', '.join(present)}"
        raise ValueError(msg)
    return torch.device(text)
