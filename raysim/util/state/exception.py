"""What questions about the cluster's state raise, under Ray's names."""


class DataSourceUnavailable(Exception):
    """Somebody who knows a part of the state did not answer."""


class RayStateApiException(Exception):
    """The question is wrong, or cannot be answered in full."""


class ServerUnavailable(RayStateApiException):
    """Nobody answered at all."""
