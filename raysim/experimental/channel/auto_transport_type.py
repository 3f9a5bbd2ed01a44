"""The hint that a channel carries tensors in whichever way is best. Never moves one.

Ray: `ray.experimental.channel.auto_transport_type`.
"""

from raysim.experimental.channel import ChannelOutputType
from raysim.experimental.util.types import Device


class AutoTransportType(ChannelOutputType):
    """Tensors; the way is chosen when the graph is compiled, and is the memory of the nodes."""

    def __init__(
        self,
        device: Device = Device.DEFAULT,
        _static_shape: bool = False,
        _direct_return: bool = False,
    ) -> None:
        self.device = device
        self.static_shape = _static_shape
        self.direct_return = _direct_return
