"""Attacks: perturbations in balls, the smallest that flip a point, and robustness as they find it."""
