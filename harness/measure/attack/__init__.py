"""Attacks: perturbations in balls, the smallest ones that flip a point, and the robustness that they measure."""
