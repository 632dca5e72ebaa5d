"""The session cookie: set at login, dropped at logout, the same for every face."""

from starlette.responses import Response

from headwater.faces.kit import Faces
from headwater.model.account import SignedIn


def sign_in_response(faces: Faces, response: Response, signed_in: SignedIn) -> None:
    """Put the new session's cookie on *response*."""
    response.set_cookie(
        faces.cookie_name,
        signed_in.token,
        max_age=max(int(signed_in.expires_at - faces.clock.now()), 0),
        path="/",
        secure=faces.is_https,
        httponly=True,
        samesite="lax",
    )


def sign_out_response(faces: Faces, response: Response) -> None:
    """Make the browser forget the session's cookie."""
    response.delete_cookie(
        faces.cookie_name, path="/", secure=faces.is_https, httponly=True, samesite="lax"
    )
