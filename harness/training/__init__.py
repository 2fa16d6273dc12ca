"""Training: all members of a recipe as one tensor program, step by step."""
