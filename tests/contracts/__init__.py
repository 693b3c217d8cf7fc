"""What every part of a kind has to hold: test classes to inherit from."""
