"""Images are decoded within a bounded number of megapixels, whatever the number of threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

from fewlabels.data.decoding_room import MEGAPIXELS, Room, decoding_mb


def most_at_once(room: Room, sizes: list[float]) -> tuple[float, int]:
    """Megapixels and jobs that were at most in work at a time, with a thread for each."""
    lock, now, most = threading.Lock(), [0.0, 0], [0.0, 0]
    started = threading.Barrier(len(sizes))

    def work(size: float) -> None:
        started.wait()
        with room.take(size):
            with lock:
                now[0], now[1] = now[0] + size, now[1] + 1
                most[:] = [max(pair) for pair in zip(now, most, strict=True)]
            threading.Event().wait(0.01)
            with lock:
                now[0], now[1] = now[0] - size, now[1] - 1

    with ThreadPoolExecutor(len(sizes)) as pool:
        list(pool.map(work, sizes))
    assert room.taken == 0
    return most[0], most[1]


def test_no_more_than_the_room_is_in_work():
    pixels, jobs = most_at_once(Room(10), [4.0] * 8)
    assert (pixels, jobs) == (8, 2)


def test_an_image_larger_than_the_room_is_decoded_alone():
    assert most_at_once(Room(10), [49.0, 49.0, 3.0, 3.0])[0] == 49


def test_an_error_gives_the_room_back():
    room = Room(10)
    try:
        with room.take(8):
            raise ValueError
    except ValueError:
        assert room.taken == 0


def test_memory_follows_threads_times_megapixels_as_far_as_there_is_room():
    one, two = decoding_mb(1, 10), decoding_mb(2, 10)
    assert two > one > decoding_mb(1, 5)
    assert decoding_mb(8, 50) < decoding_mb(8, 2 * MEGAPIXELS)
    # Eight images of 49 megapixels at eight threads took up to 4.0 GB.
    assert 4000 < decoding_mb(8, 50) < 5500
