"""Random hearts: short-axis stacks whose every tissue is known, drawn anew for each index.

Domain randomisation after SynthSeg (Billot 2023, Med. Image Anal. 86:102789) on a parametric heart:
shapes, surroundings and grey values vary more widely than in people, so that a network trained
on them measures people it has never seen.  No patient's image or mask takes part.

`Source(seed)[index]` is the whole interface.  numpy, scipy and OpenCV only; no device.
"""

from cmr_jax.phantom.source import PhantomExam, Source, Variant

__all__ = ["PhantomExam", "Source", "Variant"]
