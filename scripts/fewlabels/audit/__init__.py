"""What test images share with what is trained on."""
