"""The MONAI bundles that ctvol ships, as package data."""
