"""ISO-BMFF: MP4, MOV and their kin, read and written (ISO/IEC 14496-12, ISO/IEC 23000-19)."""

from headwater.containers.isobmff.index import read_index

__all__ = ["read_index"]
