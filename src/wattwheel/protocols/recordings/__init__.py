"""Readers of recordings: octets of COMTRADE, CSV and WAV files in, a `Recording` out; no files, no clock."""
