"""Training and evaluation of networks: the loop, augmentation, devices, the feature cache."""
