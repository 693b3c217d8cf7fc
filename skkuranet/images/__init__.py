"""Images, masks and what is done to pixels (NumPy and scikit-image)."""
