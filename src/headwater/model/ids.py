"""Identifiers: opaque strings with a type each, so that one cannot stand in for another.

Public ids (videos, uploads, generations) are made by engines/entropy.py and cannot be guessed.
"""

from typing import NewType

AccountId = NewType("AccountId", str)
VideoId = NewType("VideoId", str)
UploadId = NewType("UploadId", str)
JobId = NewType("JobId", str)
KeyId = NewType("KeyId", str)
GenerationId = NewType("GenerationId", str)
TrackId = NewType("TrackId", str)
