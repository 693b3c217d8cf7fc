"""What all parts need."""
