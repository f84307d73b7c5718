"""A thread with so small a stack that recursion over a long graph would end the process."""

import threading


def in_small_thread(function):
    """In a thread with a stack of 256 KB, whose exception comes out."""
    caught = []

    def run():
        try:
            function()
        except BaseException as error:
            caught.append(error)

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    if caught:
        raise caught[0]
