"""multipart/form-data read as it arrives: fields first, then one file that is never held whole.

Source: RFC 7578.
"""

from collections.abc import AsyncIterable, AsyncIterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from headwater.model.errors import InvalidInput

FIELD_BYTES = 64 << 10  # of all fields together


class Form:
    """*fields* are those before the file, *filename* its own; then iterate the file's bytes.

    What follows the file is read and forgotten.
    """

    def __init__(self, content_type: str, body: AsyncIterable[bytes]) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidInput("The form has no boundary.")
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.is_whole = False
        self._body = aiter(body)
        self._disposition: dict[bytes, bytes] = {}
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._value = bytearray()
        self._pending: list[bytes] = []
        self._in_file = self._has_file = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    async def open(self) -> None:
        """Read up to the file. Raises InvalidInput if there is none."""
        while not self._has_file:
            if not await self._feed():
                raise InvalidInput("The form has no file in it.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            for chunk in self._pending:
                yield chunk
            self._pending.clear()
            more = await self._feed()

    async def _feed(self) -> bool:
        chunk = await anext(self._body, None)
        if chunk is None:
            return False
        try:
            self._parser.write(chunk)
        except MultipartParseError:
            raise InvalidInput("The form is malformed.") from None
        return True

    def _begin_part(self) -> None:
        self._disposition = {}
        self._value = bytearray()
        self._in_file = False

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._disposition = parse_options_header(bytes(value))[1]
        self._header = (bytearray(), bytearray())

    def _headers_end(self) -> None:
        if b"filename" in self._disposition and not self._has_file:
            self._has_file = self._in_file = True
            self.filename = self._disposition[b"filename"].decode(errors="replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pending.append(data[start:end])
        elif not self._has_file:
            self._value += data[start:end]
            if len(self._value) + sum(map(len, self.fields.values())) > FIELD_BYTES:
                raise InvalidInput("The form's fields are too long.")

    def _end_part(self) -> None:
        if not self._in_file and not self._has_file:
            name = self._disposition.get(b"name", b"").decode(errors="replace")
            self.fields[name] = self._value.decode(errors="replace")
        self._in_file = False

    def _end(self) -> None:
        self.is_whole = True
