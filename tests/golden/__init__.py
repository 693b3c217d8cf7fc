"""Small reference arrays of double precision, and what writes them."""
