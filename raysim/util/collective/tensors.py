"""numpy arrays and torch tensors in memory, seen as arrays. Never moves one to or from a device."""

import sys
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from raysim.util.collective.types import ReduceOp

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_array(tensor: Any) -> "NDArray[Any]":
    """The tensor's own memory as an array. Raises RuntimeError for anything else, as Ray does."""
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
    raise RuntimeError(
        f"Unrecognized tensor type '{type(tensor)}'. Collective operations take numpy arrays and torch "
        "tensors."
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


def first(array: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """So many elements of its own memory, in a row; 0: the array as it is."""
    if not count:
        return array
    if not array.flags.c_contiguous or count > array.size:
        raise ValueError(
            f"n_elements={count} must lie in a row in the tensor, which has {array.size} elements."
        )
    return array.reshape(-1)[:count]


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
