"""What a network does in the long run: where it rests, how stable that is, how chaotic it is."""

from skkuranet.analysis._jacobian import Jacobian, jacobian

__all__ = ["Jacobian", "jacobian"]
