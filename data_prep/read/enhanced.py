"""The frames of an Enhanced MR object, as if each were a classic one (PS3.3 A.36, C.8.13).

What frames share and what each has of its own stands in functional groups: both are looked at,
the frame's own first.
"""

import pydicom

from data_prep.read.header import Header, Values, as_text
from data_prep.read.reject import Reject, Why

# (functional group, attribute in it) -> the classic attribute that says the same.
ATTRIBUTES = {
    ("PlanePositionSequence", "ImagePositionPatient"): "ImagePositionPatient",
    ("PlaneOrientationSequence", "ImageOrientationPatient"): "ImageOrientationPatient",
    ("PixelMeasuresSequence", "PixelSpacing"): "PixelSpacing",
    ("PixelMeasuresSequence", "SliceThickness"): "SliceThickness",
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"): "TriggerTime",
    ("CardiacSynchronizationSequence", "RRIntervalTimeNominal"): "NominalInterval",
    ("FrameContentSequence", "TemporalPositionIndex"): "TemporalPositionIdentifier",
    ("FrameContentSequence", "FrameAcquisitionDateTime"): "AcquisitionDateTime",
    ("FrameContentSequence", "StackID"): "StackID",
    ("MRImageFrameTypeSequence", "FrameType"): "ImageType",
    ("MRImageFrameTypeSequence", "ComplexImageComponent"): "ComplexImageComponent",
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime"): "RepetitionTime",
    ("MRTimingAndRelatedParametersSequence", "FlipAngle"): "FlipAngle",
    ("MREchoSequence", "EffectiveEchoTime"): "EchoTime",
    ("MRModifierSequence", "InversionRecovery"): "InversionRecovery",
    ("MRModifierSequence", "InversionTimes"): "InversionTime",
    ("PixelValueTransformationSequence", "RescaleSlope"): "RescaleSlope",
    ("PixelValueTransformationSequence", "RescaleIntercept"): "RescaleIntercept",
    ("PixelValueTransformationSequence", "RescaleType"): "RescaleType",
}
ECHO = {"SPIN": "SE", "GRADIENT": "GR", "BOTH": "SE\\GR"}
COMPONENT = {"MAGNITUDE": "M", "PHASE": "P", "REAL": "R", "IMAGINARY": "I"}


def frames(found: Header) -> list[Values] | Reject:
    """Values of every frame by classic keyword; the object's own, overlaid with the frame's."""
    dataset = found.dataset
    assert dataset is not None
    try:
        shared = dataset.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()]
        each = dataset.get("PerFrameFunctionalGroupsSequence") or []
        if not len(each) or len(each) != int(dataset.get("NumberOfFrames") or 1):
            return Reject(Why.NO_GEOMETRY, "", "frames and their descriptions do not match")
        common = found.values | _of_object(dataset) | _of_groups(shared[0])
        return [_classic(common | _of_groups(group), i) for i, group in enumerate(each)]
    except Exception as error:  # a sequence may hold anything; the file is counted, not lost
        return Reject(Why.UNREADABLE, "", type(error).__name__)


def _of_groups(groups: pydicom.Dataset) -> Values:
    values: Values = {}
    for (sequence, attribute), keyword in ATTRIBUTES.items():
        items = groups.get(sequence)
        value = items[0].get(attribute) if items else None
        if value is not None:
            values[keyword] = as_text(value)
    return values


def _of_object(dataset: pydicom.Dataset) -> Values:
    """What an enhanced object says of its pulse sequence in words of its own."""
    scanning = ECHO.get(as_text(dataset.get("EchoPulseSequence")), "")
    steady = as_text(dataset.get("SteadyStatePulseSequence"))
    return {
        "ScanningSequence": scanning,
        "SequenceVariant": "SS" if steady not in ("", "NONE") else "",
        "AcquisitionDateTime": as_text(dataset.get("AcquisitionDateTime")),
    }


def _classic(values: Values, index: int) -> Values:
    values["InstanceNumber"] = str(index + 1)
    values["SOPInstanceUID"] = f"{values.get('SOPInstanceUID', '')}#{index}"
    if values.pop("InversionRecovery", "") == "YES":
        values["ScanningSequence"] = f"{values['ScanningSequence']}\\IR".strip("\\")
    moment = str(values.pop("AcquisitionDateTime", ""))
    values["AcquisitionDate"], values["AcquisitionTime"] = moment[:8], moment[8:]
    component = COMPONENT.get(str(values.pop("ComplexImageComponent", "")))
    kind = str(values.get("ImageType", "")).split("\\")
    if component and component not in kind:
        # Third place, where a classic object has it.
        values["ImageType"] = "\\".join([*kind[:2], component, *kind[2:]])
    return values
