"""The table: everything the system can be asked, decided one by one.

A new operation is one more row at the end of its part. `headwater operations` prints the table and
docs/operations.md is made of it; tests hold every route to a row.
"""

from headwater.operations.catalogue.access import ACCESS
from headwater.operations.catalogue.library import LIBRARY
from headwater.operations.catalogue.operating import EVENTS, JOBS, SPACE
from headwater.operations.catalogue.pipeline import PIPELINE
from headwater.operations.catalogue.streams import STREAMS
from headwater.operations.catalogue.uploads import UPLOADS
from headwater.operations.operation import Operation

CATALOGUE: tuple[Operation, ...] = (
    *ACCESS,
    *LIBRARY,
    *UPLOADS,
    *STREAMS,
    *PIPELINE,
    *JOBS,
    *EVENTS,
    *SPACE,
)
