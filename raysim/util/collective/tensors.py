"""numpy arrays and torch tensors in memory, seen as arrays. Never moves one to or from a device."""

import sys
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from raysim.util.collective.types import ReduceOp

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_array(tensor: Any) -> "NDArray[Any]":
    """The tensor's own memory as an array. Raises TypeError for anything else."""
    import numpy

    if isinstance(tensor, numpy.ndarray):
        return tensor
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(tensor, torch.Tensor):
        if tensor.device.type != "cpu":
            raise TypeError(
                f"The tensor is on {tensor.device}; the gloo backend takes tensors in memory. "
                "Move it with .cpu()."
            )
        array: NDArray[Any] = tensor.detach().numpy()
        return array
    raise TypeError(
        "Collective operations take numpy arrays and torch tensors, but this is a "
        f"{type(tensor).__name__}."
    )


def fill(target: Any, values: "NDArray[Any]", what: str) -> None:
    """Write the values into the tensor. Raises ValueError when the shapes differ."""
    import numpy

    array = as_array(target)
    if array.shape != values.shape:
        raise ValueError(
            f"{what}: a tensor of shape {array.shape} cannot take values of shape {values.shape}. "
            "All ranks must pass tensors of one shape."
        )
    numpy.copyto(array, values, casting="same_kind")


def reduced(arrays: Sequence["NDArray[Any]"], op: ReduceOp) -> "NDArray[Any]":
    """In the order of the ranks, so that every rank gets the same last bit."""
    import numpy

    function = {
        ReduceOp.SUM: numpy.add,
        ReduceOp.PRODUCT: numpy.multiply,
        ReduceOp.MIN: numpy.minimum,
        ReduceOp.MAX: numpy.maximum,
    }[op]
    result: NDArray[Any] = reduce(function, arrays)
    return result
