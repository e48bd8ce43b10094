"""Library shared by the scripts.

Imports point one way: core <- data, networks, statistics; data <- audit; data, networks <- training;
audit, statistics <- reporting; training, reporting <- pretraining; workflow and synthetic on top. `make lint` holds it
so (pyproject.toml, section importlinter), and that what runs no network imports no torch.
"""
