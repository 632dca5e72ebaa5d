"""The application: every face over one core, behind its guards."""

from typing import TYPE_CHECKING

from headwater.compose.core import Core
from headwater.engines.reach import Reach

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from headwater.faces.kit import Faces


async def open_faces(core: Core) -> "Faces":
    """Return what every face is given."""
    from headwater.faces.cursors import Cursors
    from headwater.faces.kit import Faces

    return Faces(
        runner=core.runner,
        notices=core.notices,
        blobs=core.blobs,
        clock=core.clock,
        cursors=Cursors(await core.secret("cursors")),
        public_origin=core.settings.public_url,
        tells_positions=bool(core.settings.database_replicas)
        or core.notices.reach is not Reach.PROCESS,
    )


def open_app(core: Core, faces: "Faces") -> "ASGIApp":
    """Return the whole application: every face behind its guards."""
    from headwater.faces import asgi
    from headwater.faces.rest import app as rest
    from headwater.faces.rest.documents import Beside
    from headwater.faces.streaming import app as streaming
    from headwater.faces.tus import app as tus
    from headwater.faces.tus import document as tus_document
    from headwater.faces.web import app as web
    from headwater.faces.web.site import Site

    beside = Beside(tus_document.paths(), tus_document.schemas())
    site = Site(faces, warms=core.settings.warm, undo_s=core.settings.undo_s)
    return asgi.create_app(
        faces,
        {
            asgi.UPLOADS: tus.routes(faces),
            asgi.REST: rest.create(faces, beside),
            asgi.STREAMS: streaming.create(faces),
            asgi.WEB: web.routes(site),
        },
        page=site.failure,
        trusted_proxies=core.settings.proxy_networks,
    )
