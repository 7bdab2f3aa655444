# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Let one of several moved copies through, by thresholds of a displacement.

Rectifiers are leaky: a tenth of what a gate keeps back comes through all the same, so
that the mean of all copies is carried beside them and taken off again.
"""

from dataclasses import dataclass

from .doubling import Doubling

__all__ = ["LEAK", "RECTIFIED", "Copies", "choose", "hinge_edges"]

#: A leaky rectifier is 0.9 of a rectifier and 0.1 of its input; their ratio.
RECTIFIED, LEAK = 0.9, 0.1 / 0.9
_CLOSED = 7.5  # taken off where a gate is closed; larger than what samples hold


@dataclass(frozen=True)
class Copies:
    """Copies of samples in channels side by side, and where displacements are.

    Parameters
    ----------
    shifts : tuple of int
        By how many samples each copy is moved.
    n_samples : int
        Samples of a copy that one position holds, once chosen from.
    hinges : int
        Channel of the first hinge.
    width : float
        Of thresholds, samples.
    zero : float
        What the displacement's channel holds for none, on the way in.
    left : float
        The same for what is left when a copy was chosen.
    """

    shifts: tuple[int, ...]
    n_samples: int
    hinges: int
    width: float
    zero: float
    left: float

    @property
    def edges(self) -> list[float]:
        """Displacements half-way between copies."""
        pairs = zip(self.shifts, self.shifts[1:], strict=False)
        return [(one + other) / 2 for one, other in pairs]

    @property
    def remainder(self) -> int:
        """Channel of the displacement that is left."""
        return self.n_samples * len(self.shifts) + self.n_samples // 2


def hinge_edges(layer: Doubling, copies: Copies, inp: int, *, smooth: bool) -> None:
    """Make two hinges around each edge; their difference is a step.

    Parameters
    ----------
    layer : Doubling
        Changed in place.
    copies : Copies
        With edges.
    inp : int
        Channel of the displacement.
    smooth : bool
        Whether it is interpolated.
    """
    for k, edge in enumerate(copies.edges):
        for m in (0, 1):
            out = copies.hinges + 2 * k + m
            if smooth:
                layer.smooth(out, inp)
            else:
                layer.both(out, inp, 1.0)
            layer.bias[out] = -copies.zero - edge - (m - 0.5) * copies.width


def choose(gates: Doubling, layer: Doubling, copies: Copies, displacement: int) -> None:
    """Make copies with gates in one layer, and let the open one through in the next.

    Parameters
    ----------
    gates, layer : Doubling
        One after the other; changed in place. The second gives half of the samples of
        a copy at each position, then the displacement that is left.
    copies : Copies
        What to choose from.
    displacement : int
        Channel of the displacement before.
    """
    n, n_copies = copies.n_samples, len(copies.shifts)
    for k, shift in enumerate(copies.shifts):
        for sample in range(n):
            out = n * k + sample
            for parity in (0, 1):
                at = sample + n * parity - shift
                channel, offset = at % (2 * n), at // (2 * n)
                gates.see(out, parity, channel, offset, 1.0)
                mean = n * n_copies + sample // 2  # of two samples of all copies
                gates.see(mean, parity, channel, offset, 0.5 / n_copies)
            gates.bias[out] -= _CLOSED
            _gate(gates, out, k, _CLOSED, copies)
    gates.both(copies.remainder, displacement, 1.0)
    gates.bias[copies.remainder] += copies.left - copies.zero
    for k, shift in enumerate(copies.shifts):
        _gate(gates, copies.remainder, k, -shift, copies)
    for sample in range(n // 2):
        for parity in (0, 1):
            _let_through(layer, sample, parity, copies)
        layer.bias[sample] += LEAK * (n_copies - 1) * _CLOSED
    layer.both(n // 2, copies.remainder, 1.0)


def _gate(layer: Doubling, out: int, k: int, value: float, copies: Copies) -> None:
    """Add a value where the displacement is between edges k - 1 and k."""
    slope = value / (RECTIFIED * copies.width)
    for edge, sign in ((k - 1, 1.0), (k, -1.0)):
        if 0 <= edge < len(copies.edges):
            layer.both(out, copies.hinges + 2 * edge, sign * slope)
            layer.both(out, copies.hinges + 2 * edge + 1, -sign * slope)
            layer.bias[out] -= sign * value * LEAK
    if k == 0:
        layer.bias[out] += value


def _let_through(layer: Doubling, sample: int, parity: int, copies: Copies) -> None:
    """Sum all copies of a sample, less what leaked."""
    n, n_copies = copies.n_samples, len(copies.shifts)
    at = sample + n // 2 * parity
    for k in range(n_copies):
        layer.see(sample, parity, n * k + at % n, at // n, 1 / RECTIFIED)
    low, high = (-(n // 2), n // 2) if parity == 0 else (0, n)  # of what it can see
    beside = at // 2 + (1 if at % 2 else -1)
    for pair, part in ((at // 2, 0.75), (beside, 0.25)):
        seen = pair if low <= pair < high else at // 2
        channel, offset = n * n_copies + seen % (n // 2), seen // (n // 2)
        layer.see(sample, parity, channel, offset, -LEAK * n_copies * part)
