"""Lossy JPEG of 12 bits (1.2.840.10008.1.2.4.51), as a plugin of pydicom.

pydicom 3.0 asks gdcm for 8 bits of this syntax only, since older versions failed at 12; gdcm 3.2
decodes them to the values that libjpeg-turbo gives.
"""

import gdcm
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGExtended12Bit

BITS = 12


def is_available(uid: str) -> bool:
    """Whether this is the one syntax that is decoded here."""
    return uid == JPEGExtended12Bit


def decode_frame(encoded: bytes, runner: DecodeRunner) -> bytes:
    """One frame, 16 bits a pixel; `encoded` is the whole frame, of however many fragments."""
    asked = runner.bits_stored, runner.samples_per_pixel, runner.pixel_representation
    if asked != (BITS, 1, 0):
        raise NotImplementedError("only grey values of 12 bits, unsigned")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    syntax = gdcm.TransferSyntax.GetTSType(str(JPEGExtended12Bit))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    # Asked for 16 bits allocated, it tries the wrong codec first and says so on stderr.
    image.SetPixelFormat(gdcm.PixelFormat(1, BITS, BITS, BITS - 1, 0))
    return image.GetBuffer().encode("utf-8", "surrogateescape")  # gdcm gives char* as str
