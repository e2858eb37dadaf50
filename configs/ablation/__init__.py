"""The published recipe and ours at one small size, and the studies that set them side by side."""
