"""How a real cluster gets and gives back nodes. Never how many: see protocol/gcs/autoscaler."""
