"""Enhanced MR Image Storage (PS3.3 A.36): one object of many frames, each placed by its own items.

What all frames share stands in one sequence, what differs in another with an item for each.
"""

from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cmr_jax import schema
from data_prep.phantom import dicom, sequences
from data_prep.phantom.habits import Shot
from data_prep.phantom.objects import Object
from data_prep.phantom.population import exam_rng
from data_prep.phantom.takes import Take
from data_prep.phantom.tissue import Contrast

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.4.1"
STACK = "1"  # an object holds one stack
LAYOUT_STREAM = 800
DIMENSIONS = ("StackID", "InStackPositionNumber", "TemporalPositionIndex")


def module(study, item: Object, scales: list[tuple[str, str]], organization: str) -> dict[str, Any]:
    """Elements of an enhanced object but for those that all objects of its exam or series share.

    `scales` are slope and intercept of each frame, `organization` is the UID of its dimensions.
    """
    take = item.shots[0].take
    purpose = LAYOUT_STREAM + 10 * item.series + item.instance
    rng = exam_rng(study.profile.seed, study.index, purpose)
    in_frames = bool(rng.random() < 0.5)  # what frames share may be said in each of them as well
    plane_groups = _plane_groups(take)
    own = [_frame(study, shot, scale) for shot, scale in zip(item.shots, scales, strict=True)]
    common = _timing(study, take) | ({} if in_frames else plane_groups)
    if in_frames:
        own = [plane_groups | groups for groups in own]
    pixels = dicom.pixel_module(take.scan.planes[0])
    for elsewhere in ("ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        del pixels[elsewhere]
    kind = sequences.enhanced_type(take.scan.contrast)
    begun = dicom.time_of_day(take.clock_s)
    values = pixels | {
        "SOPClassUID": SOP_CLASS,
        "ImageType": kind,
        "NumberOfFrames": str(len(item.shots)),
        "AcquisitionDateTime": study.identity.study_date + begun,
        "AcquisitionDuration": 1000 * take.seconds,
        "ContentTime": begun,
        "PulseSequenceName": sequences.PULSE_SEQUENCES[take.scan.contrast],
        "EchoPulseSequence": "SPIN" if take.scan.contrast is Contrast.T2W else "GRADIENT",
        "SteadyStatePulseSequence": "FREE_PRECESSION"
        if take.scan.contrast in sequences.STEADY
        else "NONE",
        "MRAcquisitionType": "2D",
        "ComplexImageComponent": _component(take),
        "AcquisitionContrast": "T2" if take.scan.contrast is Contrast.T2W else "T1",
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "ContentQualification": "RESEARCH",
        "ResonantNucleus": "1H",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "PresentationLUTShape": "IDENTITY",
        "DimensionOrganizationSequence": Sequence([_item(DimensionOrganizationUID=organization)]),
        "DimensionIndexSequence": Sequence([_dimension(k, organization) for k in DIMENSIONS]),
        "SharedFunctionalGroupsSequence": Sequence([_groups(common)]),
        "PerFrameFunctionalGroupsSequence": Sequence([_groups(groups) for groups in own]),
    }
    if take.scan.contrast in sequences.POST_CONTRAST:
        values["ContrastBolusAgentSequence"] = Sequence([_item(ContrastBolusAgentNumber=1)])
    if rng.random() < 0.5:
        for value in values.values():
            if isinstance(value, Sequence):
                value.is_undefined_length = True
    return values


def _plane_groups(take: Take) -> dict[str, Dataset]:
    """How the planes of a take lie and how fine they are."""
    plane = take.scan.planes[0]
    orientation = [f"{v:.6f}" for v in (*plane.row, *plane.column)]
    return {
        "PlaneOrientationSequence": _item(ImageOrientationPatient=orientation),
        "PixelMeasuresSequence": _item(
            PixelSpacing=[f"{plane.spacing_mm:.5f}"] * 2,
            SliceThickness=f"{plane.thickness_mm:.2f}",
        ),
    }


def _timing(study, take: Take) -> dict[str, Dataset]:
    """What the sequence is, the same for every frame."""
    contrast = take.scan.contrast
    rr_ms = study.subject.rr_ms
    repetition, echo, flip = sequences.timing(study.vendor, contrast, rr_ms)
    frame_type = _item(
        FrameType=sequences.enhanced_type(contrast),
        ComplexImageComponent=_component(take),
        AcquisitionContrast="T2" if contrast is Contrast.T2W else "T1",
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    inversion = sequences.inversion_ms(contrast)
    inverts = inversion is not None and contrast is not Contrast.PERFUSION
    modifier = _item(
        InversionRecovery="YES" if inverts else "NO",
        FlowCompensation="NONE",
        Spoiling="NONE",
        T2Preparation="NO",
        SpectrallySelectedSuppression="NONE",
        Tagging="NONE",
    )
    if inverts:
        modifier.InversionTimes = [inversion]
    return {
        "MRImageFrameTypeSequence": frame_type,
        "MRTimingAndRelatedParametersSequence": _item(
            RepetitionTime=f"{repetition:.2f}",
            FlipAngle=f"{flip:.0f}",
            EchoTrainLength=15 if contrast is Contrast.T2W else 1,
        ),
        "MREchoSequence": _item(EffectiveEchoTime=float(echo)),
        "MRModifierSequence": modifier,
        "FrameAnatomySequence": _item(
            FrameLaterality="U",
            AnatomicRegionSequence=Sequence(
                [_item(CodeValue="80891009", CodingSchemeDesignator="SCT", CodeMeaning="Heart")]
            ),
        ),
    }


def _frame(study, shot: Shot, scale: tuple[str, str]) -> dict[str, Dataset]:
    """What is a frame's own: where, when, and what its numbers stand for."""
    plane, take = shot.take.scan.planes[shot.at], shot.take
    begun = shot.clock_s
    if take.sequence is schema.Sequence.CINE:
        begun += shot.trigger_ms / 1000
    place, moment = shot.at + 1, shot.phase + 1
    return {
        "FrameContentSequence": _item(
            FrameAcquisitionDateTime=study.identity.study_date + dicom.time_of_day(begun),
            FrameAcquisitionDuration=40.0,
            StackID=STACK,
            InStackPositionNumber=place,
            TemporalPositionIndex=moment,
            DimensionIndexValues=[1, place, moment],
        ),
        "PlanePositionSequence": _item(
            ImagePositionPatient=[f"{v:.5f}" for v in plane.position],
        ),
        "CardiacSynchronizationSequence": _item(
            NominalCardiacTriggerDelayTime=round(shot.trigger_ms, 3),
            RRIntervalTimeNominal=round(shot.interval_ms, 3),
        ),
        "PixelValueTransformationSequence": _item(
            RescaleSlope=scale[0],
            RescaleIntercept=scale[1],
            RescaleType="ms" if take.scan.contrast is Contrast.T1MAP else "US",
        ),
    }


def _component(take: Take) -> str:
    return "REAL" if take.scan.contrast is Contrast.LGE_PSIR else "MAGNITUDE"


def _dimension(keyword: str, organization: str) -> Dataset:
    return _item(
        DimensionOrganizationUID=organization,
        DimensionIndexPointer=tag_for_keyword(keyword),
        FunctionalGroupPointer=tag_for_keyword("FrameContentSequence"),
    )


def _item(**values: Any) -> Dataset:
    """A sequence item with these attributes."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _groups(groups: dict[str, Dataset]) -> Dataset:
    """Functional groups by the keyword of their sequence, each of one item."""
    return _item(**{keyword: Sequence([item]) for keyword, item in groups.items()})
