"""Library shared by the scripts: images, subsets, networks, training, metrics, figures, files.

Imports point one way: a script may import this package, a module of it only modules below it
(``files`` and ``cli`` at the bottom, ``training`` at the top).
"""
