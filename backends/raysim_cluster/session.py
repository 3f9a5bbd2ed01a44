"""What all processes of one cluster share. Never what one of them has alone."""

import msgspec

from raysim.spec.ids import WorkerId
from raysim.spec.tls import TlsFiles


class Session(msgspec.Struct, frozen=True):
    """What all processes of one cluster share: its name and its secret."""

    session_id: str
    token: bytes
    host: str = "127.0.0.1"
    """Where TCP listens: only this machine."""
    tls: TlsFiles | None = None
    """What TCP is encrypted with; None: it is not."""

    def __repr__(self) -> str:
        """Without the token: this may come into a log."""
        return f"Session({self.session_id!r})"

    def unix_name(self, worker_id: WorkerId) -> str:
        """A name in the abstract namespace: gone with its process, whatever ends it."""
        return f"\0raysim-{self.session_id}-{worker_id.hex()}"


def session_name(session: Session) -> str:
    """As programs see it."""
    return f"session_{session.session_id}"
