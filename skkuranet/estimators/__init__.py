"""Estimators with the scikit-learn interface: arrays in and out."""
