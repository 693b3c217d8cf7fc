"""Groups that training has never seen: couplings on graphs, and how they are read."""
