"""The hint that a channel carries tensors. Never moves one. Ray: `ray.experimental.channel.torch_tensor_type`."""

from raysim.experimental.channel import ChannelOutputType
from raysim.experimental.util.types import Device


class TorchTensorType(ChannelOutputType):
    """Tensors, through the memory of the nodes. Raises ValueError for what would need a GPU."""

    AUTO = "auto"
    CPU = "cpu"
    ACCELERATOR = "accelerator"

    def __init__(
        self,
        transport: str = AUTO,
        device: Device = Device.DEFAULT,
        _static_shape: bool = False,
        _direct_return: bool = False,
    ) -> None:
        if transport not in (self.AUTO, self.CPU):
            raise ValueError(
                f"`transport` must be TorchTensorType.AUTO or TorchTensorType.CPU, not {transport!r}: "
                "raysim moves tensors through host memory only."
            )
        if device not in (Device.DEFAULT, Device.CPU):
            raise ValueError(
                f"`device` must be Device.DEFAULT or Device.CPU, not {device}: raysim leaves tensors in "
                "host memory."
            )
        self.transport = transport
        self.device = device
        self.static_shape = _static_shape
        self.direct_return = _direct_return

    def __repr__(self) -> str:
        return f"TorchTensorType(transport={self.transport!r}, device={self.device})"
