"""The reading room: what it answers, and whom and what it refuses."""

import csv
import json
import logging

import numpy as np
import pytest
from starlette.testclient import TestClient

from cmr_jax.schema import MEASUREMENTS_FILE
from cmr_jax.search import places
from cmr_jax.search.index import KEY, one_of
from cmr_jax.search.request import Query, vector_of
from cmr_jax.search.room import app, guard, serve
from cmr_jax.search.room.audit import Audit
from cmr_jax.search.room.exams import Exams
from cmr_jax.search.room.guard import Limit, Rules
from cmr_jax.search.room.measured import TITLES, Measured
from cmr_jax.search.room.pictures import Cache

pytestmark = pytest.mark.usefixtures("hasty")
HOST = "127.0.0.1:8400"
TOKEN = "a token of a hospital"
HERE = Rules(frozenset({HOST}))
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def audit(tmp_path):
    return tmp_path / "audit.jsonl"


def client_of(exams, rules=HERE, audit=None) -> TestClient:
    room = app.build(exams, rules, Audit(audit))
    return TestClient(room, base_url=f"http://{HOST}", raise_server_exceptions=False)


@pytest.fixture
def client(exams, audit):
    return client_of(exams, audit=audit)


@pytest.fixture
def some(exams):
    return exams.index.ids()[0]


def test_a_search_tells_what_was_found(client, exams):
    told = client.post("/api/search", json={"words": "no LGE", "k": 4, "where": ["has=SAX"]}).json()
    assert len(told["hits"]) == 4
    assert told["understood"]["lge"] is False
    assert told["by_likeness"] == told["nobody_has"] == []
    hit = told["hits"][0]
    assert {KEY, "score", "percentile", "carried", "impression", "age"} <= set(hit)
    again = client.post("/api/search", json={"like": hit[KEY], "k": 3}).json()
    assert hit[KEY] not in [h[KEY] for h in again["hits"]]
    about = client.get("/api/about").json()
    assert about["exams"] == len(exams.index)
    assert about["queries_are_kept"]
    assert not client_of(exams).get("/api/about").json()["queries_are_kept"]
    assert "SAX CINE" in about["choices"]["has"]


def test_what_there_is_to_choose_from_is_that_of_the_index_as_it_is(client, exams, monkeypatch):
    before = client.get("/api/about").json()["choices"]
    values = {name: ["other"] for name in before}
    monkeypatch.setattr(type(exams.index), "values", lambda *_: values)
    assert client.get("/api/about").json()["choices"] == before  # not read again
    monkeypatch.setattr(type(exams.index), "version", 10**6)
    assert client.get("/api/about").json()["choices"] == values


def test_an_exam_is_told_whole_and_its_frames_are_those_stored(client, exams, some):
    told = client.get(f"/api/exam/{some}").json()
    source, exam, _ = places.find(exams.index, some)
    assert told["impression"] == exam.impression
    assert [s["slices"] for s in told["stacks"]] == [len(s.slice_mm) for s in exam.stacks]
    likely = [f["probability"] for f in told["findings"] if "probability" in f]
    assert likely == sorted(likely, reverse=True)
    assert {f["answer"] for f in told["findings"] if "answer" in f} <= {"yes", "no", "unsure"}
    assert some not in [hit[KEY] for hit in told["similar"]]
    found = client.get(f"/api/frames/{some}/0/0")
    video = source.frames(exam.stacks[0], 0)
    assert found.headers["X-Shape"] == "x".join(map(str, video.shape))
    assert found.content == video.tobytes()
    heart = client.get(f"/api/heart/{some}")
    assert heart.content[8:12] == b"WEBP"
    assert b"ANIM" in heart.content
    assert b"ANIM" not in client.get(f"/api/heart/{some}?still=1").content


def test_measurements_stand_beside_the_exam(exams, some, tmp_path):
    other = exams.index.ids()[1]
    columns = [n + end for n in TITLES for end in ("", "_low", "_high")]
    numbers = dict.fromkeys(columns, "50.0") | {"lv_ef_percent": "31.5"}
    rows = [
        {"exam_id": some, "unsure": EVIL, "right_ventricle_unsure": "x", "picture": "a.png"},
        {"exam_id": other, "error": "no short-axis cine", "picture": "../secret.png"},
    ]
    (tmp_path / "measured").mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "measured" / "a.png").write_bytes(b"contours")
    with (tmp_path / "measured" / MEASUREMENTS_FILE).open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ["exam_id", *columns, "unsure", "right_ventricle_unsure", "error", "picture"]
        )
        writer.writeheader()
        writer.writerows([rows[0] | numbers, rows[1]])
    measured = Measured(tmp_path / "measured")
    client = client_of(Exams(exams.searcher, {}, measured))
    first = client.get(f"/api/exam/{some}").json()["measured"]
    assert [n["value"] for n in first["numbers"]] == [50, 50, 31.5, 50, 50, 50, 50]
    assert first["doubts"] == [EVIL, "right ventricle: x"]
    found = client.get(f"/api/contours/{some}")
    assert (found.content, found.headers["content-type"]) == (b"contours", "image/png")
    second = client.get(f"/api/exam/{other}").json()["measured"]
    assert second["error"] == "no short-axis cine"
    assert not second["contours"]
    for exam_id in (other, "nobody", "..%2fa"):
        assert client.get(f"/api/contours/{exam_id}").status_code == 404
    assert client_of(exams).get(f"/api/exam/{some}").json()["measured"] is None
    assert client_of(exams).get(f"/api/contours/{some}").status_code == 404
    with pytest.raises(ValueError, match=r"no measurements\.csv"):
        Measured(tmp_path)


def test_a_table_that_a_person_touched_costs_its_bad_cells_alone(tmp_path):
    table = tmp_path / MEASUREMENTS_FILE
    head = "exam_id,lv_mass_g,lv_mass_g_low,lv_mass_g_high,rv_edv_ml"
    table.write_text(f"{head}\na,100,80,120,60\nb,abc,80,120,60\nc,nan,80,120\n", "utf-8-sig")
    measured = Measured(tmp_path)
    (mass,) = measured.tell("a")["numbers"]  # the other number has no interval
    assert (mass["value"], mass["unit"]) == (100, "g")
    assert measured.tell("b")["numbers"] == measured.tell("c")["numbers"] == []
    assert measured.tell("d") is None
    for text, says in (
        ("patient,lv_mass_g\na,1\n", "no column exam_id"),
        (f"{head}\na,1\na,2\n", "1 exams in several rows"),
        (f"{head}\na,1\n".encode("utf-16").decode("latin-1"), "no column exam_id"),
    ):
        table.write_text(text)
        with pytest.raises(ValueError, match=says):
            Measured(tmp_path)


def test_evidence_is_what_leaving_a_slice_out_costs(client, exams, some):
    asked = {"exam_id": some, "words": "Dilated left ventricle."}
    found = client.post("/api/evidence", json=asked).json()["evidence"]
    assert [one["lost"] for one in found] == sorted((one["lost"] for one in found), reverse=True)
    _, exam, _ = places.find(exams.index, some)
    where = {(one["stack"], one["slice"]) for one in found}
    assert len(where) == len(found) > 2
    assert all(s < len(exam.stacks[stack].slice_mm) for stack, s in where)
    (hit,) = exams.searcher(Query(asked["words"], where=one_of(KEY, [some])))
    told = exams.searcher.with_slices(hit, exams.searcher.asker(asked["words"])).slices
    assert [one["lost"] for one in told] == pytest.approx([one["lost"] for one in found][:3])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/exam/nobody", 404),
        ("/api/exam/..%2f..%2fetc%2fpasswd", 404),
        ("/api/exam/x' OR true --", 404),
        ("/api/heart/%00", 404),
        ("/api/frames/{some}/99/0", 404),
        ("/api/frames/{some}/0/999", 404),
        ("/api/frames/{some}/-1/0", 404),
        ("/static/room.js", 404),
        ("/..%2f..%2f..%2fetc/passwd", 404),
        ("//etc/passwd", 404),
        ("/api/search", 405),
    ],
)
def test_paths_that_lead_nowhere_lead_nowhere(client, some, path, status):
    found = client.get(path.format(some=some))
    assert found.status_code == status
    assert "root:" not in found.text
    assert "Traceback" not in found.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"words": 3}',
        b'{"words": ""}',
        b'{"words": "x", "k": 0}',
        b'{"words": "x", "k": 100000}',
        b'{"words": "x", "k": "many"}',
        b'{"words": "x", "where": "vendor=GE"}',
        b'{"words": "x", "where": ["; DROP TABLE"]}',
        b'{"like": "nobody"}',
        b"[" * 9000,
        b"\xff\xfe",
    ],
)
def test_what_makes_no_sense_is_told_and_the_room_goes_on(client, body):
    found = client.post("/api/search", content=body, headers={"content-type": "application/json"})
    assert found.status_code == 400, found.text
    assert found.json()["error"]
    assert client.post("/api/search", json={"words": "LGE"}).status_code == 200


def test_other_hosts_pages_methods_and_sizes_are_refused(client):
    asked = {"words": "LGE"}
    post = client.post
    assert post("/api/search", json=asked, headers={"host": "evil.example"}).status_code == 421
    for origin in ("http://evil.example", "null", f"http://{HOST}.evil.example"):
        assert post("/api/search", json=asked, headers={"origin": origin}).status_code == 403
    assert post("/api/search", json=asked, headers={"origin": f"http://{HOST}"}).status_code == 200
    form = {"content-type": "text/plain"}
    assert post("/api/search", content=json.dumps(asked), headers=form).status_code == 415
    assert client.put("/api/search", json=asked).status_code == 405
    assert post("/api/search", json={"words": "x" * 20_000}).status_code == 413

    def pieces():  # of no declared length
        for _ in range(300):
            yield b"x" * 100

    kind = {"content-type": "application/json"}
    assert post("/api/search", content=pieces(), headers=kind).status_code == 413


def test_every_answer_forbids_what_a_page_does_not_need(client):
    for found in (client.get("/"), client.get("/api/about"), client.get("/nowhere")):
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"
    page = client.get("/").text
    assert "Research use only" in page
    assert "http" not in page.replace("http://www.w3.org", "")  # nothing from elsewhere
    assert " style=" not in page
    assert "<script>" not in page


def test_markup_in_what_is_asked_is_never_markup(client):
    found = client.post("/api/search", json={"words": EVIL, "where": [EVIL]})
    assert found.headers["content-type"] == "application/json"
    for script in app.STATIC.glob("*.js"):
        text = script.read_text()
        assert "innerHTML" not in text
        assert "insertAdjacentHTML" not in text
        assert "document.write" not in text
        assert "eval(" not in text


def test_wider_than_this_machine_takes_a_token(exams):
    client = client_of(exams, Rules(frozenset({HOST}), TOKEN))
    assert client.get("/api/about").status_code == 401
    assert client.get("/", follow_redirects=False).headers["location"] == "/login.html"
    assert client.get("/login.html").status_code == 200
    assert client.post("/api/search", json={"words": "LGE"}).status_code == 401
    assert client.post("/login", json={"token": "wrong"}).status_code == 401
    assert client.post("/login", json=[]).status_code == 400
    welcome = client.post("/login", json={"token": TOKEN})
    cookie = welcome.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/api/about").status_code == 200
    client.cookies.clear()
    client.cookies.set(guard.COOKIE, "made up")
    assert client.get("/api/about").status_code == 401
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert client.get("/api/about", headers=bearer).status_code == 200
    assert client.get("/api/about", headers={b"authorization": b"Bearer \xe9"}).status_code == 401


def test_a_session_ends(exams, monkeypatch):
    client, now = client_of(exams, Rules(frozenset({HOST}), TOKEN)), [1000.0]
    monkeypatch.setattr(guard.time, "monotonic", lambda: now[0])
    client.post("/login", json={"token": TOKEN})
    now[0] += guard.SESSION_S - 1
    assert client.get("/api/about").status_code == 200
    now[0] += 2
    assert client.get("/api/about").status_code == 401


def test_https_marks_the_cookie(exams):
    client = client_of(exams, Rules(frozenset({HOST}), TOKEN, secure=True))
    assert "secure" in client.post("/login", json={"token": TOKEN}).headers["set-cookie"].lower()


def test_guessing_is_slow(exams):
    client = client_of(exams, Rules(frozenset({HOST}), TOKEN))
    codes = [client.post("/login", json={"token": str(i)}).status_code for i in range(8)]
    assert codes[:5] == [401] * 5
    assert codes[-1] == 429


def test_a_limit_fills_again(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(guard.time, "monotonic", lambda: now[0])
    limit = Limit(2.0, 3)
    assert [limit.allows("a") for _ in range(4)] == [True, True, True, False]
    assert limit.allows("b")
    now[0] = 1.0
    assert [limit.allows("a") for _ in range(3)] == [True, True, False]


def test_what_is_asked_is_kept_and_can_be_not(client, exams, audit, some):
    client.post("/api/search", json={"words": "LGE"})
    client.get(f"/api/exam/{some}")
    client.post("/api/search", json={"words": ""})
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 400]
    assert json.loads(lines[0]["asked"]) == {"words": "LGE"}
    assert audit.stat().st_mode & 0o077 == 0
    quiet = client_of(exams, audit=None)
    assert quiet.post("/api/search", json={"words": "LGE"}).status_code == 200
    assert len(audit.read_text().splitlines()) == 3


def test_a_damaged_index_is_told_without_a_path_and_the_room_stands(
    client, exams, monkeypatch, caplog
):
    files = list((exams.index.path / "exams.lance" / "data").iterdir())
    contents = [file.read_bytes() for file in files]
    for file in files:
        file.write_bytes(b"")
    try:
        monkeypatch.setattr(exams.searcher, "_drawn", -1)
        with caplog.at_level(logging.ERROR):
            found = client.post("/api/search", json={"words": "LGE"})
        assert found.status_code == 503
        assert str(exams.index.path) not in found.text
        assert str(exams.index.path) in caplog.text
        assert client.get("/").status_code == 200
    finally:
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
    assert client.post("/api/search", json={"words": "LGE"}).status_code == 200


def test_what_goes_wrong_inside_is_not_told(client, exams, monkeypatch):
    def broken(_):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(exams, "tell", broken)
    found = client.get("/api/exam/x")
    assert found.status_code == 500
    assert "secret" not in found.text


def test_the_door_is_this_machine_unless_there_is_a_token(tmp_path):
    rules = serve.rules(serve.Door("127.0.0.1", 8400))
    assert {"127.0.0.1:8400", "localhost:8400", "[::1]:8400"} <= rules.hosts
    assert not rules.token
    with pytest.raises(ValueError, match="is seen by others"):
        serve.rules(serve.Door("0.0.0.0", 8400))
    file = tmp_path / "token"
    file.write_text("short")
    file.chmod(0o600)
    for problem, mode, text in (
        ("16 characters", 0o600, "short"),
        ("can be read by others", 0o644, TOKEN),
    ):
        file.write_text(text)
        file.chmod(mode)
        with pytest.raises(ValueError, match=problem):
            serve.rules(serve.Door("0.0.0.0", 8400, token_file=str(file)))
    file.chmod(0o600)
    rules = serve.rules(serve.Door("10.0.0.1", 80, ("hearts.example",), str(file), True))
    assert rules.token == TOKEN
    assert "hearts.example" in rules.hosts
    with pytest.raises(ValueError, match="no such file"):
        serve.rules(serve.Door("0.0.0.0", 8400, token_file=str(tmp_path / "none")))


@pytest.mark.parametrize("https", [False, True])
def test_visitors_are_told_apart_behind_a_proxy_and_nowhere_else_believed(
    exams, monkeypatch, https
):
    kept = {}
    monkeypatch.setattr(serve.uvicorn, "run", lambda app, **how: kept.update(how, app=app))
    rules = Rules(frozenset({HOST}), TOKEN)
    door = serve.Door("127.0.0.1", 8400, https=https)
    serve.serve(exams.index, exams.searcher.model, door, rules, None)
    config = serve.uvicorn.Config(**kept)
    config.load()
    here = TestClient(config.loaded_app, base_url=f"http://{HOST}", client=("127.0.0.1", 50000))

    def guesses(who: str) -> list[int]:
        told = {"x-forwarded-for": who}
        return [
            here.post("/login", json={"token": "wrong"}, headers=told).status_code for _ in range(7)
        ]

    assert guesses("10.0.0.1")[-1] == 429
    assert guesses("10.0.0.2")[0] == (401 if https else 429)


def test_a_cache_forgets_what_was_not_asked_for():
    cache, made = Cache(2), []

    def make(key):
        return lambda: made.append(key) or key.encode()

    for key in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(key, make(key)) == key.encode()
    assert made == ["a", "b", "c", "b"]


def test_a_vector_is_of_unit_length(exams):
    assert np.linalg.norm(vector_of(exams.index, exams.index.ids()[1])) == pytest.approx(1, 1e-4)
