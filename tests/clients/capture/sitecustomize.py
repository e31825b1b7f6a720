"""Loaded by an interpreter that finds this folder on its path: what pyserial reads is also written to CAPTURE_FILE."""

import os

import serial

_read = serial.Serial.read


def read(self, size=1):
    octets = _read(self, size)
    with open(os.environ["CAPTURE_FILE"], "ab") as file:
        file.write(octets)
    return octets


serial.Serial.read = read
