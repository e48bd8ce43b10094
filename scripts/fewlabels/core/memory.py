"""Memory that is asked for before a library does, which would not take no for an answer."""

import mmap

#: What OpenBLAS takes for itself at its first products, and asks for again and again, without end, where it gets none.
BLAS_BUFFERS = 128 * 2**20


def require_memory_for_products(of: int) -> None:
    """Have matrices of ``of`` bytes decomposed only where OpenBLAS will get its memory.

    Raises:
        OSError: ENOMEM, as under a limit of the address space (``ulimit -v``).
    """
    # Nothing of it is touched, so that it takes no time.
    mmap.mmap(-1, BLAS_BUFFERS + 4 * of).close()
