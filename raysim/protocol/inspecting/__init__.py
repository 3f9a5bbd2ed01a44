"""What the cluster is doing, for people who ask: whom to ask for what, and asking them."""

from raysim.protocol.inspecting.role import Inspecting as Inspecting
from raysim.protocol.inspecting.survey import Findings as Findings
