"""Classifiers in use: predictions for new images, exported files, model cards."""
