"""Library shared by the scripts.

A script may import this package, never the reverse. Within it: core is imported by all; data, networks and statistics
build on core; training on data and networks; reporting on core; audit on reporting; workflow on core and networks.
"""
