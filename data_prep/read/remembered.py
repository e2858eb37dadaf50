"""Remembers what was made of texts: the frames of an exam say much the same, file after file."""

from collections.abc import Callable
from typing import Generic, TypeVar

LONGEST = 1024  # of what is remembered: an honest value is shorter, and no other may fill memory
MOST = 4096  # values: those of an exam, and then some

Text = TypeVar("Text", str, bytes)
Made = TypeVar("Made")


class Remembered(dict[Text, Made], Generic[Text, Made]):
    """`remembered[text]` is what the function makes of the text."""

    def __init__(self, make: Callable[[Text], Made]):
        super().__init__()
        self._make = make

    def __missing__(self, text: Text) -> Made:
        made = self._make(text)
        if len(text) <= LONGEST:
            if len(self) >= MOST:
                self.clear()
            self[text] = made
        return made
