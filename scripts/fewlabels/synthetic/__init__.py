"""Drawn images in the real layout, for the demo and the tests."""
