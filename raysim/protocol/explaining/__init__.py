"""Why is this object not ready: asks those who decide, step by step. Never a second model of what they decide."""

from raysim.protocol.explaining.inquiry import Inquiry
from raysim.protocol.explaining.role import Explaining

__all__ = ["Explaining", "Inquiry"]
