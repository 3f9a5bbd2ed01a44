"""The campaign that raysim ships for itself: random programs whose results are known beforehand, under faults."""

from raysim.testing.campaign.driver import CAMPAIGN, ProtocolCampaign

__all__ = ["CAMPAIGN", "ProtocolCampaign"]
