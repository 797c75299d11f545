"""The page's files: small, kept by browsers for good, and always those that belong together."""

from __future__ import annotations

import gzip
import re

from atraso.serving.app import create_app
from atraso.serving.rendering import WEB
from tests.serving.asgi import call, get
from tests.serving.fakes import scorer

APP = create_app(scorer())
VERSION = re.findall(r"/static/([0-9a-f]{12})/app\.js", get(APP, "/").body.decode())[0]


def test_all_files_are_there_as_they_are() -> None:
    """Each file of the folder is answered with its own bytes and kind, packed where that is asked for."""
    for path in (WEB / "static").iterdir():
        plain = get(APP, f"/static/{VERSION}/{path.name}")
        packed = get(APP, f"/static/{VERSION}/{path.name}", **{"accept-encoding": "br, gzip"})
        assert plain.status == packed.status == 200
        assert plain.body == path.read_bytes()
        body = gzip.decompress(packed.body) if "content-encoding" in packed.headers else packed.body
        assert body == path.read_bytes()
        assert plain.headers["vary"] == "accept-encoding"
    assert get(APP, f"/static/{VERSION}/app.js").headers["content-type"] == "text/javascript; charset=utf-8"


def test_files_are_kept_for_good_under_their_version_and_no_other() -> None:
    """The address holds a digest of all files; under another one a file is answered, and asked for again next time."""
    assert "immutable" in get(APP, f"/static/{VERSION}/app.js").headers["cache-control"]
    assert get(APP, "/static/000000000000/app.js").headers["cache-control"] == "no-cache"


def test_a_file_that_a_browser_has_is_not_sent_again() -> None:
    """With its tag the answer is 304 and empty."""
    tag = get(APP, f"/static/{VERSION}/app.js").headers["etag"]
    again = get(APP, f"/static/{VERSION}/app.js", **{"if-none-match": tag})
    assert (again.status, again.body) == (304, b"")
    assert get(APP, f"/static/{VERSION}/app.js", **{"if-none-match": '"other"'}).status == 200


def test_nothing_else_is_served() -> None:
    """No path leads out of the folder, and files are only read."""
    for name in ("../words.json", "%2e%2e/words.json", "..%2fwords.json", "", "x/app.js", "nope.js", "app.js%00"):
        assert get(APP, f"/static/{VERSION}/{name}").status == 404, name
    assert call(APP, "POST", f"/static/{VERSION}/app.js").status in (404, 405)


def test_scripts_name_only_files_that_there_are() -> None:
    """Every import of a script is a file beside it, so that it has the same version."""
    names = {path.name for path in (WEB / "static").iterdir()}
    found = 0
    for path in (WEB / "static").glob("*.js"):
        for name in re.findall(r'from "([^"]+)"', path.read_text()):
            found += 1
            assert name.startswith("./")
            assert name[2:] in names
    assert found > 20
