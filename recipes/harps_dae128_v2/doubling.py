# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Weights of a layer that doubles the length, by what each output sees."""

from torch import nn

__all__ = ["Doubling"]

# tap that sees the input at an offset from i, for outputs 2i (0) and 2i + 1 (1)
_TAPS = {(0, 0): 1, (0, -1): 3, (1, 0): 2, (1, 1): 0}


class Doubling:
    """Set the weights of one transposed convolution, zero to begin with.

    Parameters
    ----------
    layer : `torch.nn.Module`
        With filters of length 4 and a stride of 2; changed in place.
    """

    def __init__(self, layer: nn.Module) -> None:
        self.weight = layer.get_parameter("weight")
        self.bias = layer.get_parameter("bias")
        self.weight.zero_()
        self.bias.zero_()

    def see(self, out: int, parity: int, inp: int, offset: int, value: float) -> None:
        """Add an input to outputs of one parity.

        Parameters
        ----------
        out, inp : int
            Channels.
        parity : int
            0 for outputs 2i, 1 for outputs 2i + 1.
        offset : int
            Of the input from i.
        value : float
            Added to the weight.
        """
        self.weight[inp, out, 0, _TAPS[parity, offset]] += value

    def both(self, out: int, inp: int, value: float) -> None:
        """Add input i to outputs 2i and 2i + 1.

        Parameters
        ----------
        out, inp : int
            Channels.
        value : float
            Added to the weights.
        """
        for parity in (0, 1):
            self.see(out, parity, inp, 0, value)

    def smooth(self, out: int, inp: int) -> None:
        """Interpolate an input linearly.

        Parameters
        ----------
        out, inp : int
            Channels.
        """
        for parity, offset in ((0, -1), (1, 1)):
            self.see(out, parity, inp, 0, 0.75)
            self.see(out, parity, inp, offset, 0.25)

    def unfold(self, n: int, first: int) -> None:
        """Take outputs 2i from the first channels and outputs 2i + 1 from later ones.

        Parameters
        ----------
        n : int
            How many channels come out.
        first : int
            Of the channels for outputs 2i + 1.
        """
        for channel in range(n):
            self.see(channel, 0, channel, 0, 1.0)
            self.see(channel, 1, first + channel, 0, 1.0)
