"""Library shared by the scripts.

Imports point one way: core <- data <- audit; core <- networks; data, networks <- training <- pretraining;
core <- statistics <- reporting; workflow and synthetic on top. `make lint` holds it so.
"""
