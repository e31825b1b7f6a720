"""Pure codecs: octets to values and back."""
