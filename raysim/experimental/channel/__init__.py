"""What a channel of a compiled graph carries, as programs hint it. Never a channel. Ray: `ray.experimental.channel`."""


class ChannelOutputType:
    """Anything that can be pickled."""

    def requires_accelerator(self) -> bool:
        """Whether it goes from GPU to GPU: nothing does."""
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


__all__ = ["ChannelOutputType"]
