# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How rotation and macroturbulence broaden the lines of a star."""

import numpy as np
import torch
from torch import Tensor

__all__ = ["rotation_kernels"]


def rotation_kernels(
    vsini: Tensor, vmacro: Tensor, step: float, half: int, limb: float = 0.6
) -> Tensor:
    """Broadening kernels: rotation with linear limb darkening, times a Gaussian.

    Rotation follows Gray (2005, eq. 18.14); macroturbulence is a Gaussian of standard
    deviation ``vmacro / sqrt(2)`` per line of sight.

    Parameters
    ----------
    vsini, vmacro : Tensor, shape (n,)
        km/s.
    step : float
        km/s per pixel.
    half : int
        Pixels on each side of the centre.
    limb : float, optional
        Linear limb-darkening coefficient.

    Returns
    -------
    Tensor, shape (n, 2 * half + 1)
        Kernels that sum to one.
    """
    fine = 5  # sub-pixels: slow rotators are narrower than a pixel
    n_fine = fine * half + fine // 2
    velocity = torch.arange(-n_fine, n_fine + 1, device=vsini.device) * (step / fine)
    x2 = (1.0 - (velocity / vsini[:, None].clamp(min=0.2)) ** 2).clamp(min=0.0)
    rotation = 2.0 * (1.0 - limb) * x2.sqrt() + 0.5 * np.pi * limb * x2
    rotation[:, n_fine] += 1e-6  # a star that does not rotate keeps its centre
    gauss = torch.exp(-((velocity / vmacro[:, None].clamp(min=0.05)) ** 2))
    size = 2 * (2 * n_fine + 1)
    both = torch.fft.irfft(
        torch.fft.rfft(rotation, size) * torch.fft.rfft(gauss, size), size
    )[:, n_fine : 3 * n_fine + 1]
    kernel = both.clamp(min=0.0).unflatten(1, (2 * half + 1, fine)).sum(2)
    return kernel / kernel.sum(1, keepdim=True)
