"""Offline preparation: DICOM exams and reports in, de-identified ArrayRecord shards out."""
