"""From places that hold DICOM to typed instances: sources, header walker, pixels, rejects."""
