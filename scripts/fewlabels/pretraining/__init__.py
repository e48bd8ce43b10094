"""Ways of pretraining, one file per method."""
