"""Networks, their blocks, their checkpoints."""
