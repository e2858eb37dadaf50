"""One exam of the phantom from (profile, index): who, what was scanned, every DICOM file of it."""

import functools
from collections.abc import Iterator

import numpy as np

from data_prep.phantom import dicom, export, objects, report, translated, wild
from data_prep.phantom.acquisition import LGE_PHASE, Scan, Scanner
from data_prep.phantom.anatomy import Heart
from data_prep.phantom.disease import sample_subject
from data_prep.phantom.habits import Style
from data_prep.phantom.identity import HOSTILE, INSTITUTION, identity
from data_prep.phantom.objects import Answer
from data_prep.phantom.planning import LAX_DEG, Planning, plan_lax, plan_sax
from data_prep.phantom.population import exam_rng
from data_prep.phantom.protocol import (
    DESCRIPTIONS,
    FIELDS,
    LGE_PIXEL_SHARE,
    PHILIPS,
    PHYSICS,
    SIEMENS,
    SPIN_SD_DEG,
    TILT_SD_DEG,
    VIEW_WORDS,
    Profile,
)
from data_prep.phantom.tissue import Contrast
from data_prep.phantom.truth import Truth, truth


class Study:
    """The exam `index` of a profile."""

    def __init__(self, chosen: Profile, index: int):
        self.profile, self.index = chosen, index
        self.subject = sample_subject(chosen.seed, index, chosen.prevalence)
        self.identity = identity(self.subject)
        self.wild = wild.WildHeart(chosen, index) if chosen.wild else None
        if self.wild:
            self.subject = self.wild.person(self.subject)
        rng = exam_rng(chosen.seed, index, 5)
        self.vendor = chosen.vendors[rng.integers(len(chosen.vendors))]
        self.tesla = float(rng.choice(FIELDS[self.vendor]))
        self.origin = rng.normal(0, 18, 3)

    @functools.cached_property
    def heart(self) -> Heart:
        """The heart, solved on first use."""
        return Heart(self.subject)

    @functools.cached_property
    def truth(self) -> Truth:
        """Measurements and findings."""
        if self.wild:
            return self.wild.truth(self.subject.male)
        return truth(self.subject, self.heart.lv_volumes_ml, self.heart.lv.mass_g())

    @property
    def diagnosis(self) -> str:
        """The disease that the heart was drawn for."""
        return self.wild.group if self.wild else self.subject.diagnosis.value

    @property
    def keys(self) -> dict[str, str]:
        """The key columns that join reports and labels to this exam."""
        return {
            "patient_id": self.identity.patient_id,
            "study_instance_uid": dicom.uid(1, self.profile.seed, self.index),
            "accession_number": self.identity.accession,
        }

    @property
    def report_text(self) -> str:
        """The report, protected health information and the odd hostile string included."""
        who = self.identity
        if self.wild:
            return wild.report(self.truth, exam_rng(self.profile.seed, self.index, 8))
        if self.profile.habits:
            return translated.report(self, Style.of(self).language)
        text = report.report(self.subject, self.truth, who, contrast=self.has_contrast)
        if self.index % 23 == 5:
            text = text.replace("\nElectronically", f"\n{HOSTILE[0]}\nElectronically")
        return text

    @functools.cached_property
    def has_contrast(self) -> bool:
        """Whether contrast was given: without it nothing enhances, and nobody says a word of it."""
        share = self.profile.no_contrast
        return exam_rng(self.profile.seed, self.index, 7).random() >= share

    @functools.cached_property
    def scans(self) -> tuple[Scan, ...]:
        """What was scanned: cines and LGE, each at its own spacing; some stacks are missing."""
        p, rng = self.profile, exam_rng(self.profile.seed, self.index, 6)
        phases = np.arange(p.phases) / p.phases
        noise = float(rng.uniform(*p.noise))
        coil_mm = float(rng.uniform(450, 900))  # scanners even out most of the coil's shading
        psir = rng.random() < 0.6
        # One planning for each view: LGE copies the planes of the cines.
        plannings = [
            Planning(
                (rng.normal(0, TILT_SD_DEG), rng.normal(0, TILT_SD_DEG)), rng.normal(0, SPIN_SD_DEG)
            )
            for _ in range(1 + len(LAX_DEG))
        ]
        scans = []
        for contrast in (Contrast.CINE, Contrast.LGE_PSIR if psir else Contrast.LGE_MAG):
            cine = contrast is Contrast.CINE
            at = phases if cine else np.array([LGE_PHASE])
            level = noise if cine else 0.4 * noise
            pixel = p.pixel_mm * rng.uniform(0.94, 1.06) * (1.0 if cine else LGE_PIXEL_SHARE)
            slices = p.sax_slices if cine else p.lge_slices
            breath = rng.normal(0, 1.5, (slices, 2))
            shape = (pixel, p.slice_mm, p.matrix if cine else int(p.matrix / LGE_PIXEL_SHARE))
            sax_plan, *lax_plans = plannings
            sax = plan_sax(self.heart, self.origin, slices, *shape, sax_plan, breath)
            planes = {"SAX": sax} | {
                view: plan_lax(self.heart, self.origin, view, *shape, lax_plan)
                for view, lax_plan in zip(LAX_DEG, lax_plans, strict=True)
            }
            for view, chosen in planes.items():
                always = cine and view in ("SAX", "4CH") and not p.missing_any
                there = rng.random() >= p.missing or always
                if there and (cine or self.has_contrast):
                    scans.append(Scan(view, contrast, chosen, at, level, self.tesla, coil_mm))
            if not scans:  # there is no exam without any cine
                scans.append(Scan("SAX", contrast, sax, at, level, self.tesla, coil_mm))
        return tuple(scans)

    def files(self, pixels: bool = True) -> Iterator[tuple[str, bytes, int]]:
        """Every DICOM file as (name, bytes, size); without pixels the bytes end before them."""
        if self.profile.habits:
            yield from export.files(self, pixels)
            return
        if self.wild:
            scan = self.wild.scan(self.origin, self.tesla)
            yield from self._stack(0, scan, self.shared(), self.wild.video() if pixels else None)
            return
        shared = self.shared()
        scanner = Scanner(self.heart, self.origin, self.profile.through)
        for number, scan in enumerate(self.scans):
            video = scanner.render(scan, 100 + number) if pixels else None
            yield from self._stack(number, scan, shared, video)

    def answers(self) -> list[Answer]:
        """What is true of every frame, in the order of `files`; of a profile with habits alone."""
        if not self.profile.habits:
            raise ValueError("answers are there for a profile with habits, such as phantom:habits.")
        return objects.answers(self)

    def _stack(self, number: int, scan: Scan, shared: dict, video: np.ndarray | None):
        rng = exam_rng(self.profile.seed, self.index, 50 + number)
        plane = scan.planes[0]
        slices, phases = len(scan.planes), len(scan.phases)
        per_slice_series = self.vendor == SIEMENS and slices > 1 and rng.random() < 0.5
        stack = dicom.encode(shared | self._sequence(scan, rng) | dicom.pixel_module(plane))
        size = 2 * plane.matrix**2
        from_apex = rng.random() < 0.5  # instance order may run against the slice position
        phase_first = self.vendor != PHILIPS or rng.random() < 0.5
        for s in range(slices):
            rank = slices - 1 - s if from_apex else s
            series = number * 100 + (s if per_slice_series else 0)
            interval = self.subject.rr_ms * (1 + rng.normal(0, 0.02))
            for t in range(phases):
                instance = 1 + (rank * phases + t if phase_first else t * slices + rank)
                sop = dicom.uid(3, self.profile.seed, self.index, number, s, t)
                frame = self._frame(scan, s, t, instance, series, interval, sop)
                head = dicom.header(stack, dicom.encode(frame), sop, size)
                body = b"" if video is None else dicom.pixel_data(video[s, t])
                yield f"{number:02d}/IM{instance:05d}.dcm", head + body, len(head) + size

    def _frame(self, scan, s, t, instance, series, interval, sop) -> dict:
        plane = scan.planes[s]
        at = scan.phases[t] * interval
        # Positions as patients see them: rounded the way DS strings are.
        frame = {
            "SOPInstanceUID": sop,
            "SeriesInstanceUID": dicom.uid(2, self.profile.seed, self.index, series),
            "SeriesNumber": str(series + 1),
            "InstanceNumber": str(instance),
            "ImagePositionPatient": [f"{v:.5f}" for v in plane.position],
            "SliceLocation": f"{plane.position @ plane.normal:.4f}",
            "TriggerTime": f"{at:.2f}",
            "NominalInterval": f"{interval:.0f}",
            "ContentTime": f"1{series % 10:01d}{s % 60:02d}{t % 60:02d}.00",
        }
        if self.vendor == SIEMENS:  # leaves this out for stills
            frame |= {} if scan.contrast is Contrast.CINE else {"TriggerTime": None}
        return frame

    def shared(self) -> dict:
        """Header values that every object of the exam has in common."""
        who, s = self.identity, self.subject
        return {
            "SpecificCharacterSet": "ISO_IR 192",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
            "Modality": "MR",
            "PatientName": f"{who.family}^{who.given}",
            "PatientID": who.patient_id,
            "PatientBirthDate": who.birth_date,
            "PatientSex": "M" if s.male else "F",
            "PatientAge": f"{s.age_years:03d}Y",
            "PatientSize": f"{s.height_cm / 100:.2f}",
            "PatientWeight": f"{s.weight_kg:.0f}",
            "PatientTelephoneNumbers": who.phone,
            "PatientComments": HOSTILE[self.index % len(HOSTILE)].replace("\x1b", ""),
            "StudyInstanceUID": self.keys["study_instance_uid"],
            "AccessionNumber": who.accession,
            "StudyID": who.accession[-6:],
            "StudyDate": who.study_date,
            "SeriesDate": who.study_date,
            "AcquisitionDate": who.study_date,
            "ContentDate": who.study_date,
            "StudyTime": "101500",
            "StudyDescription": f"MRI HEART {who.family}",
            "InstitutionName": INSTITUTION,
            "ReferringPhysicianName": f"{who.reader}^R",
            "PerformingPhysicianName": f"{who.reader}^P",
            "OperatorsName": f"{who.reader}^O",
            "StationName": "MRPHANTOM1",
            "Manufacturer": self.vendor,
            "ManufacturerModelName": "Phantom",
            "MagneticFieldStrength": f"{self.tesla:g}",
            "HeartRate": f"{s.heart_rate_bpm:.0f}",
            "FrameOfReferenceUID": dicom.uid(4, self.profile.seed, self.index),
            "PatientPosition": "HFS",
        }

    def _sequence(self, scan: Scan, rng: np.random.Generator) -> dict:
        words = DESCRIPTIONS[self.vendor, scan.contrast]
        word = VIEW_WORDS[scan.view][rng.integers(len(VIEW_WORDS[scan.view]))]
        description = words[rng.integers(len(words))].format(v=word)
        if rng.random() < 0.04:
            description = HOSTILE[rng.integers(len(HOSTILE) - 2)].replace("\n", " ")[:60]
        cine = scan.contrast is Contrast.CINE
        kind = {Contrast.LGE_PSIR: "PSIR", Contrast.LGE_MAG: "MAG", Contrast.CINE: "NONE"}
        values = PHYSICS[scan.contrast] | {
            "ImageType": ["ORIGINAL", "PRIMARY", "M", kind[scan.contrast]],
            "SeriesDescription": description,
            "ProtocolName": description,
            "ScanningSequence": "GR" if cine else ["GR", "IR"],
            "SequenceVariant": "SS" if cine else "SP",
            "MRAcquisitionType": "2D",
            "CardiacNumberOfImages": str(len(scan.phases)),
        }
        return values if cine else values | {"InversionTime": "280", "ContrastBolusAgent": "Gd"}
