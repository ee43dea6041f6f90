"""What a request may carry, whatever it asks for. An agent stands for every body."""

from __future__ import annotations

import gzip
import io
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from structlog.testing import capture_logs

from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Answer, Api

AGENTS = "/api/v1/agents"
AGENT = {"name": "A", "version": "1", "promptTemplate": "x"}
JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


async def post(api: Api, raw: bytes, path: str = AGENTS, **headers: str) -> Answer:
    """These very bytes, as JSON unless `headers` say otherwise."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()} or JSON
    return await api.call("POST", path, data=io.BytesIO(raw), headers=sent)


def padded(size: int) -> bytes:
    """A valid agent of exactly `size` bytes."""
    return orjson.dumps(AGENT).ljust(size)


@pytest.mark.parametrize(
    "raw", [b"{", b'{"name":}', b"nonsense", b"\xff\xfe", b'{"a": NaN}', b'{"a": 1e999}']
)
async def test_a_body_that_is_not_json_is_refused(api: Api, raw: bytes) -> None:
    answer = await post(api, raw)
    assert answer.status == 400
    assert answer.json["statusCode"] == 400
    assert answer.json["error"] == "Bad Request"
    assert answer.json["message"].startswith("The body is not valid JSON")
    assert "code" not in answer.json


async def test_a_body_of_one_mebibyte_is_taken_and_a_byte_more_is_not(api: Api) -> None:
    too_large = {
        "statusCode": 413,
        "error": "Payload Too Large",
        "code": "FST_ERR_CTP_BODY_TOO_LARGE",
        "message": "Request body is too large: send at most 1 MiB",
    }
    assert (await post(api, padded(MIB))).status == 201
    answer = await post(api, padded(MIB + 1))
    assert (answer.status, answer.json) == (413, too_large)

    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(17):
            yield b" " * (MIB // 16)

    streamed = await api.call("POST", AGENTS, data=chunks(), headers=JSON)
    assert (streamed.status, streamed.json) == (413, too_large)


async def test_a_name_too_long_for_the_log_is_refused_before_anything_is_written(api: Api) -> None:
    answer = await api.post(AGENTS, AGENT | {"name": "x" * 600_000})
    assert answer.status == 413
    assert "error" in answer.json
    assert await api.log.last_seq() == 0


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_a_body_that_says_it_is_not_json_is_refused(api: Api, media_type: str) -> None:
    answer = await post(api, orjson.dumps(AGENT), Content_Type=media_type)
    assert answer.status == 415
    assert answer.json == {
        "statusCode": 415,
        "error": "Unsupported Media Type",
        "code": "FST_ERR_CTP_INVALID_MEDIA_TYPE",
        "message": f"Unsupported Media Type: {media_type}; send application/json",
    }


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"]
)
async def test_every_way_to_say_json_is_understood(api: Api, media_type: str) -> None:
    assert (await post(api, orjson.dumps(AGENT), Content_Type=media_type)).status == 201


async def test_an_empty_body_is_an_empty_object(api: Api) -> None:
    row = (await api.post(AGENTS, AGENT)).json
    path = f"{AGENTS}/{row['id']}"
    for headers in (JSON, {}):
        assert (await api.call("PATCH", path, data=b"", headers=headers)).json == row
        missing = await api.call("POST", AGENTS, data=b"", headers=headers)
        assert missing.status == 400
        assert len(missing.json["validation_errors"]) == 3


async def test_a_body_where_none_is_wanted_does_not_matter(api: Api) -> None:
    row = (await api.post(AGENTS, AGENT)).json
    for raw in (b"", b"{}", b"{nonsense", b"\x00"):
        answer = await api.call("POST", f"{AGENTS}/{row['id']}/activate", data=raw, headers=JSON)
        assert answer.status == 200


async def test_a_mark_of_the_byte_order_before_the_body_does_not_matter(api: Api) -> None:
    assert (await post(api, b"\xef\xbb\xbf" + orjson.dumps(AGENT))).status == 201


@pytest.mark.parametrize(
    ("raw", "advice"),
    [
        (rb'{"name":"\ud800","version":"1","promptTemplate":"x"}', "as a pair of surrogates"),
        (rb'{"name":"\udc00","version":"1","promptTemplate":"x"}', "as a pair of surrogates"),
        (b'{"name":"\xff"}', "byte 9 is not UTF-8; send every text as UTF-8"),
        (b'{"name":"\xed\xa0\x80"}', "send every text as UTF-8"),
    ],
)
async def test_a_body_that_is_not_utf_8_is_refused_with_advice(api: Api, raw: bytes, advice: str) -> None:
    answer = await post(api, raw)
    assert (answer.status, answer.json["error"]) == (400, "Bad Request")
    assert answer.json["message"].endswith(advice)


@pytest.mark.parametrize(
    "body",
    [
        AGENT | {"name": "a\x00"},
        AGENT | {"metadata": {"deep": [{"a": "\x00"}]}},
        AGENT | {"metadata": {"\x00": 1}},
    ],
)
async def test_a_nul_anywhere_in_a_body_is_refused_and_named(api: Api, body: Any) -> None:
    answer = await api.post(AGENTS, body)
    assert answer.status == 400
    assert "NUL" in answer.json["error"]
    assert await api.log.last_seq() == 0


async def test_a_text_that_only_looks_like_a_nul_is_kept(api: Api) -> None:
    answer = await post(api, rb'{"name":"A","version":"1","promptTemplate":"write \\u0000 here"}')
    assert answer.json["promptTemplate"] == r"write \u0000 here"


@pytest.mark.parametrize("path", [f"{AGENTS}/a%00b", f"{AGENTS}?name=a%00", f"{AGENTS}?%00=1"])
async def test_a_nul_in_the_path_or_the_query_is_refused(api: Api, path: str) -> None:
    answer = await api.get(path)
    assert answer.status == 400
    assert "NUL" in answer.json["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{AGENTS}/%FF", 404),
        (f"{AGENTS}/%ED%A0%80", 404),
        (f"{AGENTS}?name=%FF", 200),
        (f"{AGENTS}?name=%ED%A0%80", 200),
        (f"{AGENTS}?name=%", 200),
        ("/%ED%A0%80", 404),
        (f"{AGENTS}/resolve/%ED%A0%80", 404),
    ],
)
async def test_a_path_or_query_that_is_not_utf_8_finds_nothing(api: Api, path: str, status: int) -> None:
    answer = await api.get(path)
    assert answer.status == status
    assert answer.json == [] or "error" in answer.json


async def test_nesting_is_bounded(api: Api) -> None:
    def nested(levels: int) -> bytes:
        metadata = b'{"a":' * levels + b"1" + b"}" * levels
        return orjson.dumps(AGENT)[:-1] + b',"metadata":' + metadata + b"}"

    assert (await post(api, nested(99))).status == 201
    for levels in (100, 1000):
        answer = await post(api, nested(levels))
        assert answer.status == 400
        assert "nested" in answer.json["error"]
    assert (await post(api, nested(100_000))).json["error"] == "Bad Request"


@pytest.mark.parametrize("number", [2**64, 18446744073709551617, -(2**63) - 1])
async def test_an_integer_that_cannot_be_kept_exactly_is_refused_by_its_place(api: Api, number: int) -> None:
    raw = orjson.dumps(AGENT)[:-1] + b',"metadata":{"a":[0,%d]}}' % number
    answer = await post(api, raw)
    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    (issue,) = answer.json["validation_errors"]
    assert issue["path"] == ["metadata", "a", 1]
    assert f"the integer {number} does not fit into 64 bits" in issue["message"]
    assert await api.log.last_seq() == 0


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 9007199254740993])
async def test_an_integer_of_64_bits_is_kept_exactly(api: Api, number: int) -> None:
    raw = orjson.dumps(AGENT)[:-1] + b',"metadata":{"n":%d}}' % number
    assert (await post(api, raw)).json["metadata"] == {"n": number}


async def test_the_number_of_values_in_a_body_is_bounded(api: Api) -> None:
    answer = await post(api, orjson.dumps(AGENT | {"metadata": {"n": [1] * 200_000}}))
    assert answer.status == 400
    assert "send at most 100000" in answer.json["error"]
    text = "," * 200_000
    assert (await post(api, orjson.dumps(AGENT | {"promptTemplate": text}))).json["promptTemplate"] == text


@pytest.mark.parametrize(
    ("path", "body", "number"),
    [
        ("execute-dag", {"job": jobs.job_json(sub_tasks=[{}] * 20_000)}, 1),
        ("execute-dag", {"job": jobs.job_json(sub_tasks=[{}] * 300)}, 101),
        ("goals", {"objective": "reach something", "params": {"allowedTools": [1] * 50_000}}, 1),
    ],
)
async def test_the_number_of_reported_problems_is_bounded(
    api: Api, path: str, body: Any, number: int
) -> None:
    answer = await post(api, orjson.dumps(body), path=f"/api/v1/{path}")
    assert answer.status == 400
    assert len(answer.json["validation_errors"]) == number


async def test_a_query_key_given_twice_is_not_text(api: Api) -> None:
    answer = await api.get(f"{AGENTS}?name=a&name=b")
    assert answer.status == 400
    assert answer.json["validation_errors"] == [
        {
            "code": "invalid_type",
            "expected": "string",
            "received": "array",
            "path": ["name"],
            "message": "Expected string, received array",
        }
    ]


async def test_a_compressed_body_is_measured_unpacked(api: Api) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    small = await api.call("POST", AGENTS, data=gzip.compress(orjson.dumps(AGENT)), headers=headers)
    assert small.status == 201
    broken = await api.call("POST", AGENTS, data=b"no gzip", headers=headers)
    assert (broken.status, broken.json["error"]) == (400, "Bad Request")
    assert "leave that header out" in broken.json["message"]
    bomb = await api.call("POST", AGENTS, data=gzip.compress(b" " * 3 * MIB), headers=headers)
    assert bomb.status == 413


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"{}" * 500, mtime=0)[:20]),
        ("deflate", b"\xff\xff"),
        ("br", b"x"),
    ],
)
async def test_a_body_that_is_not_encoded_as_it_says_is_one_line_in_the_log(
    api: Api, caplog: pytest.LogCaptureFixture, encoding: str, raw: bytes
) -> None:
    with capture_logs() as logs:
        answer = await api.call("POST", AGENTS, data=raw, headers=JSON | {"Content-Encoding": encoding})
    assert answer.status == 400
    assert "leave that header out" in answer.json["message"] or encoding == "gzip"
    assert [one["log_level"] for one in logs if one["log_level"] != "debug"] == ["info"]
    assert not [one for one in caplog.records if one.exc_info or one.levelname == "ERROR"]
