"""Whether a head can have a port. Never who has it."""

import socket


def check_port(host: str, port: int) -> None:
    """Raises ValueError where it cannot."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise ValueError(
                f"Port {port} of {host} cannot be had: {error.strerror}. If an earlier head has it, end that with "
                "`raysim stop`; else name another with --port."
            ) from error
