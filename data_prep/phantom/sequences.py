"""What each vendor's header says of a sequence: timing, kind of sequence, image type, names.

Values are typical of clinical protocols; times in ms.
"""

from typing import Any

from data_prep.phantom.protocol import GE, PHILIPS, SIEMENS
from data_prep.phantom.tissue import Contrast

LGE = (Contrast.LGE_MAG, Contrast.LGE_PSIR)
POST_CONTRAST = (*LGE, Contrast.PERFUSION)
INVERSION_MS = 290.0
SATURATION_MS = 100.0


# Contrast: repetition and echo time, flip angle; a repetition of 0 stands for two heartbeats.
TIMING = {
    SIEMENS: {
        Contrast.CINE: (39.2, 1.43, 55),
        Contrast.LGE_MAG: (0, 3.37, 25),
        Contrast.LGE_PSIR: (0, 3.37, 25),
        Contrast.PERFUSION: (163.0, 1.07, 12),
        Contrast.T2W: (0, 65.0, 180),
        Contrast.T1MAP: (281.0, 1.12, 35),
        Contrast.LOCALIZER: (332.0, 1.26, 45),
    },
    GE: {
        Contrast.CINE: (3.35, 1.53, 45),
        Contrast.LGE_MAG: (6.2, 2.9, 20),
        Contrast.LGE_PSIR: (6.2, 2.9, 20),
        Contrast.PERFUSION: (2.9, 1.2, 20),
        Contrast.T2W: (0, 62.0, 90),
        Contrast.T1MAP: (3.1, 1.4, 35),
        Contrast.LOCALIZER: (3.4, 1.3, 45),
    },
    PHILIPS: {
        Contrast.CINE: (2.8, 1.4, 60),
        Contrast.LGE_MAG: (6.1, 3.0, 25),
        Contrast.LGE_PSIR: (6.1, 3.0, 25),
        Contrast.PERFUSION: (2.6, 1.3, 18),
        Contrast.T2W: (0, 70.0, 90),
        Contrast.T1MAP: (2.3, 1.1, 35),
        Contrast.LOCALIZER: (3.0, 1.5, 50),
    },
}
SEQUENCE_NAMES = {  # of Siemens alone; the number is that of segments
    Contrast.CINE: "*tfi2d1_14",
    Contrast.LGE_MAG: "*tfl2d1_25",
    Contrast.LGE_PSIR: "*tfl2d1_25",
    Contrast.PERFUSION: "*tfl2d1_44",
    Contrast.T2W: "*tir2d1_15",
    Contrast.T1MAP: "*tfi2d1_68",
    Contrast.LOCALIZER: "*tfi2d1_176",
}
PULSE_SEQUENCES = {  # of enhanced objects
    Contrast.CINE: "B-TFE",
    Contrast.LGE_MAG: "TFE",
    Contrast.LGE_PSIR: "TFE",
    Contrast.PERFUSION: "TFE",
    Contrast.T2W: "TSE",
    Contrast.T1MAP: "B-TFE",
    Contrast.LOCALIZER: "B-FFE",
}
STEADY = (Contrast.CINE, Contrast.T1MAP, Contrast.LOCALIZER)


def timing(vendor: str, contrast: Contrast, rr_ms: float) -> tuple[float, float, float]:
    """Repetition and echo time in ms, and the flip angle in degrees."""
    repetition, echo, flip = TIMING[vendor][contrast]
    return repetition or 2 * rr_ms, echo, flip


def inversion_ms(contrast: Contrast) -> float | None:
    """Time from the preparing pulse to the centre of k-space, where there is one."""
    if contrast in LGE:
        return INVERSION_MS
    return {Contrast.PERFUSION: SATURATION_MS, Contrast.T2W: 170.0}.get(contrast)


def classic(vendor: str, contrast: Contrast, rr_ms: float) -> dict[str, Any]:
    """Elements of a classic MR object that tell its sequence."""
    repetition, echo, flip = timing(vendor, contrast, rr_ms)
    spin, inversion = contrast is Contrast.T2W, inversion_ms(contrast)
    # One vendor writes no IR where it inverts; all leave it out where they saturate.
    inverts = (*LGE, Contrast.T2W) if vendor == PHILIPS else (*LGE, Contrast.T2W, Contrast.T1MAP)
    kind = ["SE" if spin else "GR"]
    if contrast in inverts and not (vendor == PHILIPS and contrast in LGE):
        kind.append("IR")
    values: dict[str, Any] = {
        "ImageType": image_type(vendor, contrast),
        "ScanningSequence": kind,
        "SequenceVariant": "SS" if contrast in STEADY else "SK" if spin else "SP",
        "MRAcquisitionType": "2D",
        "RepetitionTime": f"{repetition:.2f}",
        "EchoTime": f"{echo:.2f}",
        "FlipAngle": f"{flip:.0f}",
    }
    if inversion is not None:
        values["InversionTime"] = f"{inversion:.0f}"
    if contrast in POST_CONTRAST:
        values["ContrastBolusAgent"] = "Gd"
    if vendor == SIEMENS:
        values["SequenceName"] = SEQUENCE_NAMES[contrast]
    if spin:
        values["EchoTrainLength"] = "15"
    if contrast is Contrast.T1MAP:  # the number itself means something
        values |= {"RescaleType": "ms", "RescaleSlope": "1", "RescaleIntercept": "0"}
    return values


def image_type(vendor: str, contrast: Contrast) -> list[str]:
    """ImageType of a classic object, as the vendor writes it."""
    if contrast is Contrast.T1MAP:
        return {
            SIEMENS: ["DERIVED", "PRIMARY", "T1 MAP", "NORM", "MOCO"],
            GE: ["DERIVED", "PRIMARY", "OTHER", "T1 MAP"],
            PHILIPS: ["ORIGINAL", "PRIMARY", "T1 MAP", "T1", "UNSPECIFIED"],
        }[vendor]
    if vendor == GE:
        mark = {Contrast.LGE_PSIR: ["PS"], Contrast.LGE_MAG: ["MAG"]}.get(contrast, [])
        return ["ORIGINAL", "PRIMARY", "OTHER", *mark]
    if vendor == SIEMENS:
        mark = {Contrast.LGE_PSIR: "PSIR", Contrast.LGE_MAG: "MAG"}.get(contrast, "NONE")
        return ["ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D", mark]
    if contrast is Contrast.LGE_PSIR:  # the real part, corrected by the phase
        return ["ORIGINAL", "PRIMARY", "CR_IR", "CR", "IR"]
    kind = "IR" if contrast is Contrast.LGE_MAG else "SE" if contrast is Contrast.T2W else "FFE"
    return ["ORIGINAL", "PRIMARY", f"M_{kind}", "M", kind]


def enhanced_type(contrast: Contrast) -> list[str]:
    """ImageType and FrameType of an enhanced object (PS3.3 C.8.13.3.1)."""
    flavour = {
        Contrast.CINE: "CINE",
        Contrast.PERFUSION: "PERFUSION",
        Contrast.T2W: "T2",
        Contrast.T1MAP: "T1 MAP",
        Contrast.LOCALIZER: "LOCALIZER",
    }.get(contrast, "T1")
    derived = "DERIVED" if contrast is Contrast.T1MAP else "ORIGINAL"
    return [derived, "PRIMARY", flavour, "NONE"]
