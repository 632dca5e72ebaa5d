"""Pages: server-rendered documents that work without scripts; islands add life to them.

Flow      request → an operation by name → values ready to print (views.py) → a template.
Promises  no rule lives here; every sentence is in texts/; the policy allows no inline script.
"""

from starlette.routing import BaseRoute, Route

from headwater.faces.web import account, assets, manage, operating, videos
from headwater.faces.web.site import Site


def routes(site: Site) -> list[BaseRoute]:
    """Return every page with its full path; the last one answers what nobody else knows."""
    return [
        Route("/static/{path:path}", site.page(assets.static_file)),
        Route("/favicon.svg", site.page(assets.favicon)),
        Route("/favicon.ico", site.page(assets.favicon)),
        *videos.routes(site),
        *account.routes(site),
        *manage.routes(site),
        *operating.routes(site),
        Route("/{path:path}", site.missing),
    ]
