"""What pretraining needs besides training: clusters of features."""
