"""Binary search in a part of a sorted array.

`numpy.searchsorted` takes numba half a second to compile at each place of use.
"""

from __future__ import annotations

from abxfast.kernels.jit import compiled


@compiled
def lower_bound(array, low, high, value):  # type: ignore[no-untyped-def]
    """Return the first index in ``[low, high)`` whose element is at least `value`, or `high` if there is none.

    Parameters
    ----------
    array : ndarray, shape (n,)
        Sorted from `low` to `high`.
    low, high : int
    value : int or float

    Returns
    -------
    int
    """
    while low < high:
        middle = (low + high) // 2
        if array[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def upper_bound(array, low, high, value):  # type: ignore[no-untyped-def]
    """Return the first index in ``[low, high)`` whose element is above `value`, or `high` if there is none.

    Parameters
    ----------
    array, low, high, value
        See `lower_bound`.

    Returns
    -------
    int
    """
    while low < high:
        middle = (low + high) // 2
        if array[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low
