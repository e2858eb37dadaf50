"""Encoded pixels, decoded in a process of their own.

A broken stream may end the process that decodes it (gdcm aborts and segfaults on some, other
codecs may), hang it, or make it talk: then one file is lost, not the build.

    python -m data_prep.read.codecs FD      serves requests from the pipe that FD names
"""

import atexit
import contextlib
import io
import multiprocessing
import os
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

import numpy as np
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEGExtended12Bit

from data_prep.read import header

LONGEST_S = 60.0
get_decoder(JPEGExtended12Bit).add_plugin("gdcm 12", ("data_prep.read.twelve_bits", "decode_frame"))


class CodecError(Exception):
    """A file that no codec can decode; the message is the name of its error."""


def decode(data: bytes, indices: list[int]) -> list[np.ndarray]:
    """Stored values of some frames of a file, (rows, columns) each; CodecError where it is broken."""
    return _APART.decode(data, indices)


class _Apart:
    """The process that decodes; it starts with the first file and again after one that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._pipe: Connection | None = None
        self._turn = threading.Lock()

    def decode(self, data: bytes, indices: list[int]) -> list[np.ndarray]:
        """One file; others wait."""
        with self._turn:
            pipe = self._pipe or self._start()
            try:
                pipe.send((data, indices))
                if not pipe.poll(LONGEST_S):
                    raise TimeoutError
                answer = pipe.recv()
            except (EOFError, OSError) as error:
                self.stop()
                hung = isinstance(error, TimeoutError)
                raise CodecError("TimeoutError" if hung else "BrokenProcessError") from None
            except BaseException:  # an answer that nobody waits for would be the next file's
                self.stop()
                raise
        if isinstance(answer, str):
            raise CodecError(answer)
        return answer

    def _start(self) -> Connection:
        self._pipe, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # codecs print what they find
            )
        return self._pipe

    def stop(self) -> None:
        """Ends the process."""
        if self._process and self._pipe:
            self._pipe.close()
            self._process.kill()
            self._process.wait()
        self._process = self._pipe = None


_APART = _Apart()
stop = atexit.register(_APART.stop)


def _decoded(data: bytes, indices: list[int]) -> list[np.ndarray]:
    with header.quiet():
        dataset = pydicom.dcmread(io.BytesIO(data), force=True)
        several = int(dataset.get("NumberOfFrames") or 1) > 1
        return [pixel_array(dataset, index=i if several else None, raw=True) for i in indices]


def _serve(pipe: Connection) -> None:
    """Answers until nobody asks any more."""
    with contextlib.suppress(EOFError):
        while True:
            data, indices = pipe.recv()
            try:
                answer: list[np.ndarray] | str = _decoded(data, indices)
            except Exception as error:  # of any codec, on any stream
                answer = type(error).__name__
            pipe.send(answer)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
