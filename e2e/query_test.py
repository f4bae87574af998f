"""The query service, as its users meet it: the examples of docs/query.md, relations, exports,
keys, freshness, a slow engine, hostile input. SEARCH chooses the engine.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from e2e.harness import records
from e2e.harness.engine import Connection
from e2e.harness.export import Export
from e2e.harness.page import examples, json_values
from e2e.harness.query import serve_alone
from e2e.harness.shop import BULK_ORDERS, KEYS, ORDERS, RESOURCES, USERS, Shop
from e2e.servers import ServersError, artefacts, cache

_PAGE = Path(__file__).parents[1] / "docs" / "query.md"
_SECONDS = 600


class QueryTest(unittest.TestCase):
    """One set of servers and one searchsync for all; who changes a document puts it back."""

    @classmethod
    def setUpClass(cls):
        cls.shop = cls.enterClassContext(Shop(_PAGE.read_text(encoding="utf-8"), _SECONDS))
        cls.stack, cls.product = cls.shop.stack, cls.shop.product
        cls.query, cls.ask = cls.shop.query, cls.shop.ask

    def test_the_examples_of_the_page(self):
        environment = {**os.environ, "USERS": f"http://{self.query('users').address}",
                       "ORDERS": f"http://{self.query('orders').address}"}
        ran = 0
        page = _PAGE.read_text(encoding="utf-8")
        self.product.wait("no lag", lambda: all(
            one["behindMs"] == 0 for index in ("users", "orders")
            for answer in [self.ask(index, "GET", "/freshness")[1]]
            for one in [answer["documentLog"], *answer["sources"]]), _SECONDS)
        for script, expected in examples(page):
            with self.subTest(script):
                done = subprocess.run(["bash", "-e", "-c", script], env=environment, text=True,
                                      capture_output=True, timeout=120, check=False)
                self.assertEqual(0, done.returncode, done.stderr)
                if isinstance(expected, str):
                    self.assertEqual(expected, done.stdout.replace("\r\n", "\n"))
                else:
                    answers = list(json_values(done.stdout))
                    self.assertTrue(answers, done.stdout)
                    for answer in answers:
                        self.assert_holds(expected, answer, done.stdout)
                ran += 1
        self.assertEqual(page.count("\n```sh\n"), ran)
        served = "".join(path.read_text(encoding="utf-8") for path in RESOURCES.glob("*.yaml"))
        declared = re.findall(r"^```yaml\nquery:\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        self.assertEqual(2, len(declared))
        for part in declared:  # the examples ask what is declared so
            self.assertIn(re.sub("^", "  ", part.rstrip(), flags=re.MULTILINE), served)
        status, answer = self.ask("sealed-orders", "GET", "/count", key="page")
        self.assertEqual((200, 3), (status, answer.get("count")), answer)

    def assert_holds(self, expected: Any, answer: Any, whole: str) -> None:
        """Whether the answer has what is expected; members of objects it may have more."""
        if isinstance(expected, dict):
            for name, value in expected.items():
                self.assertIn(name, answer, whole)
                self.assert_holds(value, answer[name], whole)
        elif isinstance(expected, list):
            self.assertEqual(len(expected), len(answer), whole)
            for one, other in zip(expected, answer):
                self.assert_holds(one, other, whole)
        else:
            self.assertEqual(expected, answer, whole)

    def test_relations_equal_the_join(self):
        def users(related: dict, negated: bool = False) -> set[str]:
            condition = {"related": {"relation": "orders", **related}}
            status, answer = self.ask("users", "POST", "/search", {
                "filter": {"and": [{"not": condition} if negated else condition,
                                   {"range": {"field": "id", "lt": 1000}}]}, "fields": []})
            self.assertEqual(200, status, answer)
            return {hit["id"] for hit in answer["hits"]}

        everybody = {str(user["id"]) for user in USERS}
        for operand, fits in (
                ({"filter": {"range": {"field": "total", "gt": 100}}}, lambda o: o["total"] > 100),
                ({"filter": {"equals": {"field": "items.sku", "value": "apple"}}},
                 lambda o: any(item["sku"] == "apple" for item in o["items"] or [])),
                ({"filter": {"nested": {"path": "items", "filter": {"and": [
                    {"equals": {"field": "items.sku", "value": "apple"}},
                    {"range": {"field": "items.quantity", "gt": 1}}]}}}},
                 lambda o: any(item["sku"] == "apple" and item["quantity"] > 1
                               for item in o["items"] or [])),
                ({"filter": {"equals": {"field": "status", "value": "lost"}}}, lambda o: False),
                ({}, lambda o: True)):
            with self.subTest(operand=operand):
                joined = {str(order["user_id"]) for order in ORDERS if fits(order)}
                self.assertEqual(joined, users(operand))
                self.assertEqual(everybody - joined, users(operand, negated=True))

    def test_a_relation_of_too_many_is_an_error_that_says_how_many(self):
        status, answer = self.ask("orders", "POST", "/count", {"filter": {"not": {"related": {
            "relation": "user", "filter": {"equals": {"field": "team", "value": "bulk"}}}}}})
        self.assertEqual(422, status, answer)
        self.assertEqual("too_many_related", answer["error"]["code"])
        self.assertRegex(answer["error"]["message"],
                         r"^filter\.not\.related: relation user: (about|more than) \d+ different "
                         r"values of `id` in users fit; at most 50 can be related\. Make")
        for broken, path in (({"relation": "nobody"}, "filter.related.relation"),
                             ({"relation": "user", "filter": {"equals": {"field": "x"}}},
                              "filter.related.filter.equals.field"),
                             ({"relation": "user", "filter": {"related": {"relation": "orders"}}},
                              "filter.related.filter.related")):
            status, answer = self.ask("orders", "POST", "/count", {"filter": {"related": broken}})
            self.assertEqual(400, status, answer)
            self.assertEqual(path, answer["error"]["faults"][0]["path"])

    def test_pages_with_relations_go_on(self):
        seen: list[str] = []
        request = {"size": 1, "fields": [], "filter": {"related": {
            "relation": "user", "filter": {"equals": {"field": "team", "value": "core"}}}}}
        while True:
            status, answer = self.ask("orders", "POST", "/search", request)
            self.assertEqual(200, status, answer)
            seen += [hit["id"] for hit in answer["hits"]]
            if "cursor" not in answer:
                break
            request["cursor"] = answer["cursor"]
        self.assertEqual(["100", "101", "102", "200"], seen)

    def test_a_timeline_goes_on_by_its_cursor(self):
        seen: list[str] = []
        cursor = ""
        while True:
            status, answer = self.ask("orders", "GET", "/timelines/placedAt?size=2&fields=id"
                                      f"&placedAt.gte=2024-01-01{cursor}")
            self.assertEqual(200, status, answer)
            seen += [hit["id"] for hit in answer["hits"]]
            if "cursor" not in answer:
                break
            cursor = f"&cursor={answer['cursor']}"
        self.assertEqual(["400", "200", "102", "101", "100"], seen)
        status, answer = self.ask("orders", "GET", f"/timelines/placedAt?size=2{cursor}")
        self.assertEqual(400, status, "the cursor of another question")
        self.assertEqual("cursor", answer["error"]["faults"][0]["path"])

    def test_an_export_is_as_the_index_was_when_it_began(self):
        _, before = self.ask("orders", "GET", "/count")
        with Export(self.query("orders").address, "/v1/orders/export") as export:
            export.read_some()
            self.shop.write("orders", [{**ORDERS[4], "id": 7_000_000}])
            self.product.wait("the new order", lambda: (
                self.ask("orders", "GET", "/count?id=7000000")[1]["count"] == 1), _SECONDS)
            lines = export.rest().splitlines()
        self.assertTrue(export.whole)
        ids = [json.loads(line)["id"] for line in lines]
        self.assertEqual(before["count"], len(set(ids)))
        self.assertEqual(len(ids), len(set(ids)))
        self.assertNotIn("7000000", ids)
        records.produce(self.stack.kafka, "orders", [(b'{"id":7000000}', None)])
        self.product.wait("the new order to go", lambda: (
            self.ask("orders", "GET", "/count?id=7000000")[1]["count"] == 0), _SECONDS)

    def test_an_export_that_fails_does_not_look_whole(self):
        """The service alone, before a copy of the orders that goes away."""
        search = self.stack.search
        mappings = {"dynamic": False, "properties": {"id": {"type": "long"}}}
        self.addCleanup(search.request, "DELETE", "/copied")
        for method, path, body in (
                ("PUT", "/copied", {"mappings": mappings, "settings": {"number_of_replicas": 0}}),
                ("POST", "/_reindex?refresh=true", {
                    "source": {"index": "orders"}, "dest": {"index": "copied"}})):
            status, answer = search.request(method, path, body, timeout=_SECONDS)
            self.assertEqual(200, status, answer)
        process, address = serve_alone(search, self.stack.run_dir / "copied", "copied", mappings)
        self.addCleanup(process.stop)
        with Export(address, "/v1/copied/export") as export:
            self.assertEqual(BULK_ORDERS + len(ORDERS), len(export.rest().splitlines()))
        self.assertTrue(export.whole)
        with Export(address, "/v1/copied/export") as export:
            export.read_some()
            search.request("DELETE", "/copied")
            text = export.rest()
        self.assertFalse(export.whole)
        self.assertLess(text.count(b"\n"), BULK_ORDERS)

    def test_an_engine_that_hangs_is_a_504(self):
        def status(asked: tuple) -> int:
            return self.ask("users", *asked)[0]  # which would wait for more than query.timeout

        asked = [("POST", "/search", {}), ("GET", "/count"), ("GET", "/documents/1"),
                 ("GET", "/export"), ("POST", "/search", {"allowPartial": True}),
                 ("POST", "/count", {"filter": {"related": {"relation": "orders"}}})]
        self.stack.search.pause()
        try:
            with ThreadPoolExecutor(len(asked)) as pool:
                self.assertEqual(len(asked) * [504], list(pool.map(status, asked)))
        finally:
            self.stack.search.resume()
        self.product.wait("an answer after it goes on", lambda: (
            self.ask("users", "GET", "/count")[0] == 200), _SECONDS)

    def test_a_shard_that_is_missing_is_told(self):
        """The service alone, before an alias of two indices: one of them is nowhere."""
        search, mappings = self.stack.search, {"properties": {"id": {"type": "long"}}}
        for name, settings in (("halved-1", {}), ("halved-2", {
                "index.routing.allocation.require._name": "nobody"})):
            status, answer = search.request("PUT", f"/{name}?wait_for_active_shards=0", {
                "settings": {"number_of_replicas": 0, **settings}, "mappings": mappings,
                "aliases": {"halved": {}}})
            self.assertEqual(200, status, answer)
            self.addCleanup(search.request, "DELETE", f"/{name}")
        self.assertEqual(201, search.request("PUT", "/halved-1/_doc/1?refresh=true", {"id": 1})[0])
        process, address = serve_alone(search, self.stack.run_dir / "halved", "halved", mappings)
        self.addCleanup(process.stop)
        connection = Connection(address)
        self.addCleanup(connection.close)
        for method, path, body in (("POST", "/search", {}), ("GET", "/documents", None),
                                   ("GET", "/count", None), ("POST", "/count", {}),
                                   ("GET", "/export", None)):
            status, answer = connection.request(method, f"/v1/halved{path}", body)
            self.assertIn(status, (502, 503), answer)
        for method, path, body in (("POST", "/search", {"allowPartial": True}),
                                   ("GET", "/documents?allowPartial=true", None),
                                   ("GET", "/count?allowPartial=true", None)):
            status, answer = connection.request(method, f"/v1/halved{path}", body)
            self.assertEqual((200, True), (status, answer.get("partial")), answer)
            self.assertEqual(["1 of 2 shards failed"], answer["partialReasons"])
            self.assertEqual(1, answer.get("count") or len(answer["hits"]))
            self.assertNotIn("cursor", answer)
        search.request("DELETE", "/halved-2")
        status, answer = connection.request("GET", "/v1/halved/count?allowPartial=true")
        self.assertEqual((200, 1), (status, answer["count"]))
        self.assertNotIn("partial", answer)

    def test_freshness_is_told_per_source(self):
        def fresh() -> dict:
            status, answer = self.ask("users", "GET", "/freshness")
            self.assertEqual(200, status, answer)
            return answer
        self.product.wait("no lag", lambda: (
            fresh()["sources"][0]["behindMs"] == 0 and fresh()["documentLog"]["behindMs"] == 0),
            _SECONDS)
        worker = next(child for child in self.product.children("worker")
                      if child.name.startswith("worker-users-"))
        worker.pause()
        try:
            self.shop.write("users", [{**USERS[0], "bio": "changed"}])
            lags: list[int] = []

            def grows() -> bool:
                source = fresh()["sources"][0]
                if source["recordsBehind"] == 1:
                    lags.append(source["behindMs"] or 0)
                return bool(lags) and lags[-1] > lags[0]
            self.product.wait("a lag of one record that grows", grows, _SECONDS)
        finally:
            worker.resume()
        self.product.wait("no lag again", lambda: fresh()["sources"][0]["behindMs"] == 0, _SECONDS)
        self.shop.write("users", [USERS[0]])
        self.stack.kafka.pause()
        try:
            self.product.wait("a lag that is not known", lambda: "unknown" in fresh(), _SECONDS)
            status, answer = self.ask("users", "GET", "/count?freshness=true&team=core")
            self.assertEqual((200, 3), (status, answer.get("count")), answer)
        finally:
            self.stack.kafka.resume()
        self.product.wait("a lag that is known", lambda: "unknown" not in fresh(), _SECONDS)
        self.product.wait("the user as before", lambda: (
            self.ask("users", "GET", "/documents/1")[1]["source"]["bio"] == USERS[0]["bio"]),
            _SECONDS)

    def test_a_new_screener_rolls_the_query_processes_only(self):
        path = self.shop.resources / "users.yaml"
        right = path.read_text(encoding="utf-8")
        before = {child.name: child.pid for child in self.product.children()}
        path.write_text(right.replace("    screeners:\n", "    screeners:\n"
                                      "      - {name: everybody, sort: [{field: name}]}\n"),
                        encoding="utf-8")
        try:
            self.product.wait("the new screener", lambda: (
                self.ask("users", "GET", "/screeners/everybody?size=1")[0] == 200), _SECONDS)
            # It is asked where it was before: that may be sooner than the status tells its number.
            self.product.wait("its new process", lambda: before != {
                child.name: child.pid for child in self.product.children()}, _SECONDS)
            after = {child.name: child.pid for child in self.product.children()}
        finally:
            path.write_text(right, encoding="utf-8")
        self.assertEqual({"query-users"}, {name for name in before if before[name] != after[name]})
        self.product.wait("the screener to go", lambda: (
            self.ask("users", "GET", "/screeners/everybody")[0] == 404), _SECONDS)

    def test_a_key_sees_its_part(self):
        status, answer = self.ask("sealed-orders", "GET", "/documents")
        self.assertEqual((401, "unauthorized"), (status, answer["error"]["code"]))
        self.assertEqual(401, self.ask("sealed-orders", "GET", "/documents", key="guessed")[0])
        status, answer = self.ask("sealed-orders", "GET", "/count", key="elsewhere")
        self.assertEqual((403, "forbidden"), (status, answer["error"]["code"]))
        self.assertEqual(len(ORDERS) + BULK_ORDERS, self.ask(
            "sealed-orders", "GET", "/count", key="everything")[1]["count"])
        acme = {str(order["id"]) for order in ORDERS if order["tenant"] == "acme"}
        everything = {"or": [{"exists": {"field": "id"}}, {"not": {"exists": {"field": "id"}}}]}
        for method, path, body in (("GET", "/documents", None), ("POST", "/search", {}),
                                   ("POST", "/search", {"filter": everything})):
            status, answer = self.ask("sealed-orders", method, path, body, "acme")
            self.assertEqual(acme, {hit["id"] for hit in answer["hits"]}, answer)
            self.assertEqual({"id", "total", "status"},
                             {name for hit in answer["hits"] for name in hit["source"]})
        status, answer = self.ask("sealed-orders", "POST", "/search", {
            "size": 0, "facets": {"by": {"field": "status"}}}, "acme")
        self.assertEqual(3, sum(bucket["count"] for bucket in answer["facets"]["by"]["buckets"]))
        self.assertEqual(200, self.ask("sealed-orders", "GET", "/documents/101", key="acme")[0])
        self.assertEqual(404, self.ask("sealed-orders", "GET", "/documents/200", key="acme")[0])
        with Export(self.query("sealed-orders").address, "/v1/sealed-orders/export?format=csv",
                    KEYS["acme"]) as export:
            table = export.rest().decode().splitlines()
        self.assertEqual(["_id,id,status,total", "100,100,shipped,20.5", "101,101,open,150",
                          "102,102,shipped,99.99"], table)

    def test_what_is_hidden_from_a_key_is_as_if_it_were_not_there(self):
        def told(name: str, method: str, path: str, body: Any = None) -> tuple[int, str]:
            status, answer = self.ask("sealed-orders", method, path.replace("NAME", name),
                                      json.loads(json.dumps(body).replace("NAME", name)), "acme")
            self.assertIn(status, (400, 404), answer)
            return status, json.dumps(answer).replace(name, "NAME")

        for asked in (
                ("GET", "/documents?NAME=beta"), ("GET", "/documents?NAME.exists=true"),
                ("GET", "/count?NAME.prefix=b"), ("GET", "/documents?sort=-NAME"),
                ("GET", "/documents?fields=NAME"), ("GET", "/export?fields=id,NAME&format=csv"),
                ("GET", "/timelines/NAME"), ("GET", "/screeners/NAME"),
                *(("POST", "/search", body) for body in (
                    {"filter": {"equals": {"field": "NAME", "value": "beta"}}},
                    {"filter": {"not": {"exists": {"field": "NAME"}}}},
                    {"filter": {"in": {"field": "NAME", "values": [1]}}},
                    {"filter": {"nested": {"path": "NAME", "filter": {}}}},
                    {"filter": {"related": {"relation": "NAME"}}},
                    {"sort": [{"field": "NAME"}]}, {"fields": ["NAME"]},
                    {"facets": {"a": {"field": "NAME"}}}))):
            with self.subTest(asked):
                # `tenant` is a field, a relation and a screener; `qwertz` is nothing.
                self.assertEqual(told("qwertz", *asked), told("tenant", *asked))
        for path in ("/fields", "/screeners", "/search"):
            status, answer = self.ask("sealed-orders", "POST" if path == "/search" else "GET", path,
                                      {"size": 3} if path == "/search" else None, "acme")
            self.assertEqual(200, status)
            self.assertNotIn("tenant", json.dumps(answer))
        connection = Connection(self.query("sealed-orders").address)
        self.addCleanup(connection.close)
        for key, seen in (("acme", False), ("everything", True)):
            connection.headers["X-API-Key"] = KEYS[key]
            self.assertEqual(seen, "tenant" in json.dumps(
                connection.request("GET", "/openapi.json")[1]))
        status, answer = self.ask("sealed-orders", "POST", "/count", {"filter": {"related": {
            "relation": "tenant", "filter": {"equals": {"field": "id", "value": 101}}}}},
            "everything")
        self.assertEqual((200, 3), (status, answer.get("count")), answer)

    def test_who_asks_too_often_is_told_when_to_come_again(self):
        def ask() -> tuple[int, str | None]:
            connection = http.client.HTTPConnection(self.query("sealed-orders").address, timeout=30)
            connection.request("GET", "/v1/sealed-orders/fields", headers={
                "X-API-Key": KEYS["hurried"]})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status, answer.getheader("Retry-After")

        answers = [ask() for _ in range(30)]
        self.assertEqual((200, None), answers[0])
        self.assertIn((429, "1"), answers)
        self.assertEqual({(200, None), (429, "1")}, set(answers))
        self.assertEqual(200, self.ask("sealed-orders", "GET", "/count", key="everything")[0])
        self.product.wait("another answer", lambda: ask()[0] == 200, _SECONDS)

    def test_hostile_input_is_a_4xx_and_the_service_stays_up(self):
        address = self.query("users").address
        pids = {child.pid for child in self.product.children("query")}
        deep = "[" * 50_000 + "]" * 50_000
        nested = '{"not":' * 40 + '{"exists":{"field":"id"}}' + "}" * 40
        for status, request in (
                (400, post(b"not JSON")), (400, post(b"\xff\xfe")), (400, post(deep.encode())),
                (400, post(f'{{"filter":{deep}}}'.encode())),
                (400, post(f'{{"filter":{nested}}}'.encode())),
                (400, post(b'{"filter":{"script":{"source":"System.exit(0)"}}}')),
                (400, post(b'{"filter":{"equals":{"field":"id\\u0000","value":1}}}')),
                (400, post(b'{"sort":[{"field":"_script"}]}')),
                (400, post(b'{"size":1e400}')), (400, post(b'{"size":-9223372036854775809}')),
                (413, post(b" " * 300_000)),
                (400, post(b'{"facets":{"a\\"":{"field":"id"}}}')),
                (400, post(b'{"facets":{"a":{"field":"id","script":"1"}}}')),
                (400, post(b'{"fields":["*"]}')), (400, post(b'{"fields":["_source"]}')),
                (400, post(b'{"filter":{"equals":{"field":"id","value":{"query":"x"}}}}')),
                (400, post(b'{"filter":{"equals":{"field":"active","value":"x"}}}')),
                (400, post(b'{"filter":{"in":{"field":"id","values":[' + b"1," * 1024 + b"1]}}}")),
                (400, post(b'{"filter":{"equals":{"field":"id","value":1},"not":{}}}')),
                (400, post(b'{"filter":{"range":{"field":"joinedAt","gt":"now-1"}}}')),
                (400, post(b'{"size":1,"size":2}')), (400, post(b'{"query":{"match_all":{}}}')),
                (400, post(b'{"parameters":{"team":{"a":1}}}', "screeners/team-members")),
                (400, post(b'{"parameters":{"team":"a","b":1}}', "screeners/team-members")),
                (400, post(b'{"format":"xml"}', "export")), (400, post(b'{"limit":0}', "export")),
                (404, b"GET /v1/users/documents/%2e%2e%2f_search HTTP/1.1\r\nHost: x\r\n\r\n"),
                (404, b"GET /v1/users/documents/" + b"x" * 600 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
                (404, b"GET /v1/..%2forders/fields HTTP/1.1\r\nHost: x\r\n\r\n"),
                (400, b"GET /v1/users/documents?id=1%27%20OR%201=1 HTTP/1.1\r\nHost: x\r\n\r\n"),
                (400, b"GET /v1/users/documents?name=%ff HTTP/1.1\r\nHost: x\r\n\r\n"),
                (400, b"GET /v1/users/documents?cursor=" + b"A" * 5000
                 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
                (414, b"GET /v1/users/documents?name=" + b"x" * 20_000
                 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
                (400, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
                (400, b"GET\r\n\r\n"),
                (404, b"GET /v1/users/screeners/_all HTTP/1.1\r\nHost: x\r\n\r\n"),
                (404, b"GET /_search HTTP/1.1\r\nHost: x\r\n\r\n"),
                (405, b"DELETE /v1/users/search HTTP/1.1\r\nHost: x\r\n\r\n")):
            with self.subTest(request[:80]):
                answer = exchange(address, request)
                self.assertRegex(answer[:13], rf"^HTTP/1\.1 {status} $", answer[:500])
                self.assertIn('"error":', answer)
        # What is right, and reads like something else, is a value and finds nothing.
        for value in ("*", 'core" OR "1"="1', '"}},{"match_all":{}}', "{{team}}", "\\u001f0"):
            for body in ({"filter": {"equals": {"field": "team", "value": value}}},
                         {"filter": {"prefix": {"field": "team", "value": value}}},
                         {"filter": {"text": {"field": "bio", "query": value + " nothing"}}}):
                status, answer = self.ask("users", "POST", "/search", body)
                self.assertEqual((200, []), (status, answer.get("hits")), answer)
            status, answer = self.ask("users", "POST", "/screeners/team-members/count",
                                      {"parameters": {"team": value}})
            self.assertEqual((200, 0), (status, answer.get("count")), answer)
        self.assertEqual(200, self.ask("users", "GET", "/count")[0])
        self.assertEqual(pids, {child.pid for child in self.product.children("query")})

    def test_who_sends_slowly_does_not_hold_up_others(self):
        host, port = self.query("users").address.rsplit(":", 1)
        slow = []
        try:
            for _ in range(100):
                one = socket.create_connection((host, int(port)), timeout=30)
                one.sendall(b"POST /v1/users/search HTTP/1.1\r\nHost: x\r\nContent-Le")
                slow.append(one)
            self.assertEqual(200, self.ask("users", "GET", "/count")[0])
            while slow[0].recv(4096):  # it is told what is wrong, and closed, after a while
                pass
        finally:
            for one in slow:
                one.close()

    def test_schemathesis_finds_nothing(self):
        try:
            packages = cache.get(artefacts.SCHEMATHESIS)
        except ServersError as error:
            self.skipTest(f"SKIPPED: schemathesis cannot be installed here: {error}")
        # All of what is odd about one index; of the others, what comes at random. Counts and exports
        # take the filters that pages take.
        runs = {
            "users": ["--phases", "coverage,fuzzing", "--max-examples", "10",
                      "--exclude-path-regex", "/(count|export)$"],
            "orders": ["--phases", "fuzzing", "--max-examples", "10"],
            "sealed-orders": ["--phases", "fuzzing", "--max-examples", "10",
                              "--header", f"X-API-Key: {KEYS['acme']}"]}
        with ThreadPoolExecutor(len(runs)) as pool:
            done = list(pool.map(lambda index: self.try_out(packages, index, runs[index]), runs))
        for index, one in zip(runs, done):
            with self.subTest(index):
                self.assertEqual(0, one.returncode, one.stdout[-8000:] + one.stderr[-2000:])
                self.assertRegex(one.stdout, r"\b(\d{2,}) generated, \1 passed")

    def try_out(self, packages: Path, index: str,
                options: list[str]) -> subprocess.CompletedProcess:
        """schemathesis, against the service of one index."""
        folder = self.stack.run_dir / f"schemathesis-{index}"
        folder.mkdir()
        return subprocess.run(
            ["/usr/bin/python3", "-m", "schemathesis.cli", "run", "--seed", "1",
             "--request-timeout", "30", "--suppress-health-check", "all", "--checks",
             "not_a_server_error,status_code_conformance,content_type_conformance,"
             "response_schema_conformance,allow_header_conformance", *options,
             f"http://{self.query(index).address}/openapi.json"],
            env={**os.environ, "PYTHONPATH": str(packages), "NO_COLOR": "1"}, cwd=folder,
            capture_output=True, text=True, timeout=1800, check=False)


def post(body: bytes, path: str = "search") -> bytes:
    return (f"POST /v1/users/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
            "\r\n\r\n").encode() + body


def exchange(address: str, request: bytes) -> str:
    """What comes for these bytes, on a connection of their own."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it need not read all of what it refuses
        answer = b""
        while more := connection.recv(1 << 16):
            answer += more
        return answer.decode("utf-8", "replace")


if __name__ == "__main__":
    unittest.main()
