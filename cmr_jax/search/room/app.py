"""The room as a web application: a few paths, JSON in and out, pictures, and the page itself."""

import json
import logging
import pathlib
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cmr_jax.data.broken import BrokenRecord
from cmr_jax.evals.statistics.estimate import plain
from cmr_jax.search import places
from cmr_jax.search.asking import Wrong
from cmr_jax.search.index import Damaged
from cmr_jax.search.places import Absent
from cmr_jax.search.request import explained, typed
from cmr_jax.search.room import pictures
from cmr_jax.search.room.audit import Audit
from cmr_jax.search.room.exams import Exams
from cmr_jax.search.room.guard import Guard, Rules, visitor

STATIC = pathlib.Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
MOST_HITS = 60
FILTERED = {"site": "site", "vendor": "vendor", "sex": "sex", "has": "pictures"}
EXAMPLES = (
    "severely dilated left ventricle with reduced function",
    "mid-wall late enhancement",
    "no late gadolinium enhancement, normal ventricles",
    "pericardial effusion",
    "hypertrophic cardiomyopathy",
    "dilated right ventricle",
)

log = logging.getLogger(__name__)


def build(exams: Exams, rules: Rules, audit: Audit) -> Guard:
    """The guarded application."""
    room = _Room(exams, audit)
    pages = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    routes = [
        Route("/api/about", room.about),
        Route("/api/search", room.search, methods=["POST"]),
        Route("/api/exam/{exam_id}", room.exam),
        Route("/api/heart/{exam_id}", room.heart),
        Route("/api/contours/{exam_id}", room.contours),
        Route("/api/frames/{exam_id}/{stack:int}/{slice:int}", room.frames),
        Route("/api/evidence", room.evidence, methods=["POST"]),
        *(Route(f"/{name}", _page(name, content)) for name, content in pages.items()),
        Route("/", _page("index.html", pages["index.html"])),
    ]
    return Guard(Starlette(routes=routes), rules)


def _page(name: str, content: bytes) -> Callable:
    kind = KINDS[pathlib.PurePath(name).suffix]

    async def page(_: Request) -> Response:
        return Response(content, media_type=kind)

    return page


class _Room:
    def __init__(self, exams: Exams, audit: Audit):
        self._exams, self._audit = exams, audit
        self._hearts = pictures.Cache(pictures.KEPT)
        self._chosen: tuple[int, dict[str, list[str]]] = -1, {}  # of which version of the index

    async def about(self, request: Request) -> Response:
        return await self._answer(request, self._about)

    async def search(self, request: Request) -> Response:
        asked = await _body(request)
        return await self._answer(request, lambda: self._search(asked), asked)

    async def exam(self, request: Request) -> Response:
        exam_id = request.path_params["exam_id"]
        return await self._answer(request, lambda: self._exams.tell(exam_id), {"exam": exam_id})

    async def evidence(self, request: Request) -> Response:
        asked = await _body(request)
        return await self._answer(request, lambda: self._evidence(asked), asked)

    async def heart(self, request: Request) -> Response:
        exam_id, still = request.path_params["exam_id"], "still" in request.query_params

        def make() -> bytes:
            source, exam, _ = places.find(self._exams.index, exam_id)
            return pictures.small(source, exam, still)

        def answer() -> Response:
            return Response(self._hearts.get((exam_id, still), make), media_type="image/webp")

        return await self._answer(request, answer)

    async def contours(self, request: Request) -> Response:
        exam_id = request.path_params["exam_id"]

        def read() -> Response:
            return Response(self._exams.contours(exam_id), media_type="image/png")

        return await self._answer(request, read)

    async def frames(self, request: Request) -> Response:
        at = request.path_params

        def read() -> Response:
            video = self._exams.frames(at["exam_id"], at["stack"], at["slice"])
            shape = "x".join(map(str, video.shape))
            kind = "application/octet-stream"
            return Response(video.tobytes(), media_type=kind, headers={"X-Shape": shape})

        return await self._answer(request, read)

    async def _answer(
        self, request: Request, work: Callable[[], Any], asked: Any = None
    ) -> Response:
        """Work off the loop; what goes wrong is told without a path or a trace."""
        try:
            found = await run_in_threadpool(work)
        except Absent as error:
            found = _no(404, str(error))
        except Wrong as error:
            found = _no(400, str(error))
        except Damaged:
            log.exception("the index cannot be read")
            found = _no(503, "the index cannot be read; the log says why")
        except BrokenRecord:
            log.exception("pictures cannot be read")
            found = _no(404, "the pictures of that exam cannot be read; the log says why")
        except Exception:
            log.exception("a request failed")
            found = _no(500, "that failed; the log says why")
        response = found if isinstance(found, Response) else JSONResponse(plain(found))
        if asked is not None:
            self._audit.tell(visitor(request.scope), request.url.path, asked, response.status_code)
        return response

    def _about(self) -> dict[str, Any]:
        index = self._exams.index
        if (version := index.version) != self._chosen[0]:
            self._chosen = version, index.values(FILTERED)
        return {
            "exams": len(index),
            "choices": self._chosen[1],
            "findings": list(index.about.findings),
            "examples": EXAMPLES,
            "queries_are_kept": self._audit.kept,
        }

    def _search(self, asked: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        words, like = _text(asked, "words"), _text(asked, "like")
        where = asked.get("where", [])
        if not isinstance(where, list) or not all(isinstance(x, str) for x in where):
            raise Wrong("where is a list of filters")
        k = asked.get("k", 12)
        if not isinstance(k, int) or not 1 <= k <= MOST_HITS:
            raise Wrong(f"k is a number from 1 to {MOST_HITS}")
        index = self._exams.index
        hits = self._exams.searcher(typed(index, words, like, where, k))
        told = explained(index, words, where, len(hits))
        took = 1000 * (time.perf_counter() - began)
        return {"hits": [hit.to_json() for hit in hits], **told, "took_ms": took}

    def _evidence(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = self._exams.evidence(_text(asked, "exam_id"), _text(asked, "words"))
        return {"evidence": found}


async def _body(request: Request) -> dict[str, Any]:
    """{} of what is no object: then something is missing, which is said."""
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name, "")
    if not isinstance(value, str):
        raise Wrong(f"{name} is a text")
    return value


def _no(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)
