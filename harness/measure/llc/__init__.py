"""The local learning coefficient: samplers, estimates, and whether to believe them."""
