"""Writes the files of an exam of many habits: every object with the header its vendor gives it."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from cmr_jax.schema import Sequence
from data_prep.phantom import contrasts, dicom, enhanced, extras, sequences
from data_prep.phantom.acquisition import Scanner
from data_prep.phantom.habits import Shot, Style
from data_prep.phantom.objects import Kind, Object, objects
from data_prep.phantom.population import exam_rng
from data_prep.phantom.protocol import GE, PHILIPS, SIEMENS
from data_prep.phantom.takes import Take
from data_prep.phantom.tissue import Contrast

RENDER_STREAM, SCALE_STREAM = 600, 25
PSIR_ZERO = 2048  # what a rendered phase-sensitive picture holds where the signal is none
DRAWN_IN = 4095


def files(study, pixels: bool) -> Iterator[tuple[str, bytes, int]]:
    """Every file as (name, bytes, size); without pixels the bytes end before them."""
    return Exporter(study).files(pixels)


class Exporter:
    """Writes one exam."""

    def __init__(self, study):
        self.study, self.style = study, Style.of(study)
        self.implicit = study.vendor == GE
        self.shared = study.shared() | {"SpecificCharacterSet": self.style.charset}

    @functools.cached_property
    def scanner(self) -> Scanner:
        """The scanner with the heart in it."""
        study = self.study
        return Scanner(study.heart, study.origin, study.profile.through)

    def files(self, pixels: bool) -> Iterator[tuple[str, bytes, int]]:
        """See `files` of this module."""
        every = objects(self.study)
        takes = {shot.number: shot.take for item in every for shot in item.shots}
        videos = {n: self._render(n, take, takes) for n, take in takes.items()} if pixels else {}
        # Scales belong to pictures, so that a header can be had without rendering one.
        rng = exam_rng(self.study.profile.seed, self.study.index, SCALE_STREAM)
        written: dict[tuple[int, int], dicom.Encoded] = {}
        for item in every:
            if not item.shots:
                yield self._extra(item, pixels)
                continue
            scales = [self._scale(shot.take, rng) for shot in item.shots]
            stored = b"".join(
                self._stored(videos[shot.number][shot.at, shot.phase], shot.take, scale)
                for shot, scale in zip(item.shots, scales, strict=True)
                if pixels
            )
            length = 2 * item.shots[0].take.scan.planes[0].matrix ** 2 * len(item.shots)
            if item.kind is Kind.ENHANCED:
                head = self._enhanced(item, scales, length)
            else:
                key = item.series, item.shots[0].number
                if key not in written:
                    written[key] = self._encode(self._stack(item, item.shots[0].take))
                head = self._classic(item, item.shots[0], scales[0], written[key], length)
            yield item.file, head + stored, len(head) + length

    def _encode(self, values: dict[str, Any]) -> dicom.Encoded:
        return dicom.encode(values, self.implicit, self.style.codec)

    def _uid(self, kind: int, *numbers: int) -> str:
        return dicom.uid(kind, self.study.profile.seed, self.study.index, *numbers)

    def _series(self, item: Object) -> dict[str, Any]:
        """What the objects of one series have in common."""
        return {
            "SeriesInstanceUID": self._uid(2, item.series),
            "SeriesNumber": str(item.series + 1),
            "SeriesDescription": item.name.text,
            "ProtocolName": item.name.text,
        }

    def _stack(self, item: Object, take: Take) -> dict[str, Any]:
        """What the classic objects of one take in one series have in common."""
        contrast = take.scan.contrast
        stored = (16, True) if self.implicit else (12, False)
        values = self.shared | self._series(item)
        values |= sequences.classic(self.study.vendor, contrast, self.study.subject.rr_ms)
        values |= dicom.pixel_module(take.scan.planes[0], *stored)
        if take.derived:
            values["ImageType"] = ["DERIVED", "SECONDARY", "M", "NORM", "DIS2D", "INLINEVF"]
        if take.sequence in (Sequence.CINE, Sequence.DERIVED):
            values["CardiacNumberOfImages"] = str(len(take.scan.phases))
        return values

    def _classic(
        self, item: Object, shot: Shot, scale: tuple[str, str], stack: dicom.Encoded, length: int
    ) -> bytes:
        plane, clock = shot.take.scan.planes[shot.at], dicom.time_of_day(shot.clock_s)
        sop = self._uid(3, item.series, item.instance)
        frame: dict[str, Any] = {
            "SOPInstanceUID": sop,
            "InstanceNumber": str(item.instance),
            "ImagePositionPatient": [f"{v:.5f}" for v in plane.position],
            "SliceLocation": f"{plane.position @ plane.normal:.4f}",
            "NominalInterval": f"{shot.interval_ms:.0f}",
            "AcquisitionTime": clock,
            "ContentTime": clock,
        }
        still = len(shot.take.scan.phases) == 1
        if not (still and self.study.vendor == SIEMENS):  # who leaves this out for stills
            frame["TriggerTime"] = f"{shot.trigger_ms:.2f}"
        if self.study.vendor == PHILIPS:
            frame |= {"RescaleSlope": scale[0], "RescaleIntercept": scale[1]}
        return dicom.header(stack, self._encode(frame), sop, length, implicit=self.implicit)

    def _enhanced(self, item: Object, scales: list[tuple[str, str]], length: int) -> bytes:
        sop = self._uid(3, item.series, item.instance)
        values = self.shared | self._series(item)
        values |= {"SOPInstanceUID": sop, "InstanceNumber": str(item.instance)}
        values |= enhanced.module(self.study, item, scales, self._uid(5, item.series))
        encoded = self._encode(values)
        return dicom.header(encoded, {}, sop, length, enhanced.SOP_CLASS)

    def _extra(self, item: Object, pixels: bool) -> tuple[str, bytes, int]:
        sop = self._uid(3, item.series, item.instance)
        values = self.shared | self._series(item)
        values |= {"SOPInstanceUID": sop, "InstanceNumber": str(item.instance)}
        page = extras.results if item.kind is Kind.RESULTS else extras.unplaced
        more, body = page(self.study)
        values |= more
        head = dicom.header(
            self._encode(values), {}, sop, len(body), values["SOPClassUID"], self.implicit
        )
        return item.file, head + (body if pixels else b""), len(head) + len(body)

    def _scale(self, take: Take, rng: np.random.Generator) -> tuple[str, str]:
        """RescaleSlope and RescaleIntercept; one vendor has its own for every picture."""
        if self.study.vendor != PHILIPS:
            return "1", "0"
        zero = PSIR_ZERO if take.scan.contrast is Contrast.LGE_PSIR else 0
        return f"{rng.uniform(1.1, 2.4):.5f}", f"{-zero - rng.uniform(0, 200):.3f}"

    def _stored(self, picture: np.ndarray, take: Take, scale: tuple[str, str]) -> bytes:
        """Stored pixels of one rendered picture (rows, columns)."""
        values = picture.astype(np.float64)
        # Where pixels or what they stand for may be negative, no signal is 0.
        if take.scan.contrast is Contrast.LGE_PSIR and self.study.vendor in (GE, PHILIPS):
            values -= PSIR_ZERO
        slope, intercept = map(float, scale)
        return np.round((values - intercept) / slope).astype("<i2").tobytes()

    def _render(self, number: int, take: Take, takes: dict[int, Take]) -> np.ndarray:
        """Pixels of a take, uint16 (slices, phases, rows, columns)."""
        if take.derived:  # a copy of the take that shows the same scan
            number = next(n for n, other in takes.items() if other.scan is take.scan)
        video = contrasts.render(self.scanner, take.scan, RENDER_STREAM + number)
        if take.derived:
            for at, plane in enumerate(take.scan.planes):
                inside = self.scanner.cavity(plane, take.scan.phases) > 0.5
                video[at][_edge(inside)] = DRAWN_IN
        return video


def _edge(inside: np.ndarray) -> np.ndarray:
    """Pixels of a region (phases, rows, columns) beside one that is not of it."""
    around = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    whole = around[:, :-2, 1:-1] & around[:, 2:, 1:-1] & around[:, 1:-1, :-2] & around[:, 1:-1, 2:]
    return inside & ~whole
