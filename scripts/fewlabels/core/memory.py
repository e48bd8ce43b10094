"""Memory that OpenBLAS takes at its first products, asked for before: where it gets none it ends the process, or asks
again and again without end. That can only be under a limit of the address space (``ulimit -v``)."""

import mmap
import resource
import sys

#: What it takes, at most: 32 MB for each of some threads.
BUFFERS = 128 * 2**20
#: NumPy's takes so much for one.
BUFFER = 34 * 2**20
#: Side of a matrix whose product needs a buffer.
SIDE = 256


def require_memory_for_products(of: int) -> None:
    """Have SciPy decompose matrices of ``of`` bytes only where its OpenBLAS will get its memory.

    Raises:
        OSError: ENOMEM.
    """
    # Nothing of it is touched, so that it takes no time.
    mmap.mmap(-1, BUFFERS + 4 * of).close()


def take_memory_for_products() -> None:
    """Have NumPy's OpenBLAS take its buffer now, which it keeps, if there is a limit and NumPy is in use.

    Raises:
        OSError: ENOMEM.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return
    mmap.mmap(-1, BUFFER).close()
    square = numpy.zeros((SIDE, SIDE))
    square @ square
