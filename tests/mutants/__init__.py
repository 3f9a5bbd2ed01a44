"""The protocol with one safeguard removed at a time: how well the campaign finds bugs is measured on these."""
