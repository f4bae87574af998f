"""Each rule of tidy.py finds what it is for, and leaves alone what is like it."""

import pathlib
import tempfile
import unittest

import tidy

STEP = "  step();\n"


class TidyTest(unittest.TestCase):
    def check(self, texts):
        """The faults of a tree, given as {path: text}."""
        with tempfile.TemporaryDirectory() as root:
            for name, text in texts.items():
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return tidy.check(root)

    def check_one(self, path, text):
        return self.check({path: text, "CMakeLists.txt": path})

    def assert_fault(self, faults, start, *words):
        self.assertEqual(len(faults), 1, faults)
        self.assertTrue(faults[0].startswith(start), faults[0])
        for word in words:
            self.assertIn(word, faults[0])

    def test_pure_folders(self):
        for impure in ("auto t = std::chrono::steady_clock::now();", "Clock::now();",
                       "time(nullptr);", 'std::getenv("A");', "std::jthread t;", "std::mutex m;",
                       "int r = rand();", "std::random_device d;", "#include <sys/socket.h>",
                       "#include <thread>"):
            for folder in ("worker/core", "capture/core", "operator/plan", "query"):
                with self.subTest(impure, folder=folder):
                    faults = self.check_one(f"{folder}/a.cc", f"int a;\n{impure}\n")
                    self.assert_fault(faults, f"{folder}/a.cc:2: ", "pure", "let the caller")
            for path in ("worker/run/a.cc", "query/run/service.cc", "worker/core/a_test.cc"):
                self.assertEqual(self.check_one(path, f"{impure}\n"), [])

    def test_pure_code_may_speak_of_time(self):
        pure = """
            // Clock::now() is the caller's.
            append_clock(at, "std::thread", 1'000, R"(rand())");
            int64_t runtime(int);
            std::mt19937 seeded(seed);
            """
        self.assertEqual(self.check_one("worker/core/a.cc", pure), [])

    def test_headers_of_libraries(self):
        tree = {"CMakeLists.txt": "lib/kafka/a.cc cli/b.cc",
                "lib/kafka/a.cc": '#include "lib/kafka/outer.h"\n',
                "lib/kafka/inner.h": "#pragma once\n#include <librdkafka/rdkafka.h>\n",
                "lib/kafka/outer.h": '#pragma once\n#include "lib/kafka/inner.h"\n'}
        self.assertEqual(self.check(tree), [])
        user = '#include "lib/kafka/outer.h"\n'
        self.assert_fault(self.check({**tree, "cli/b.cc": user}), "cli/b.cc:1: ",
                          "<librdkafka/rdkafka.h>", "lib/kafka/inner.h", "forward declare")
        user += "#include <librdkafka/rdkafka.h>\n"
        self.assertEqual(self.check({**tree, "cli/b.cc": user}), [])

    def test_every_source_is_built(self):
        tree = {"lib/CMakeLists.txt": "lib(x SOURCES a.cc ../b.cc)", "lib/a.cc": "", "b.cc": "",
                "build/c.cc": ""}
        self.assertEqual(self.check(tree), [])
        self.assert_fault(self.check({**tree, "lib/b.cc": ""}), "lib/b.cc:1: ", "add it")

    def test_columns(self):
        self.assertEqual(self.check_one("a.cc", "é" * 100 + "\n"), [])
        self.assert_fault(self.check_one("a.cc", "\n" + "x" * 101), "a.cc:2: ", "101", "format")

    def test_guards(self):
        self.assertEqual(self.check_one("a.h", "#pragma once\n"), [])
        self.assert_fault(self.check_one("a.h", "// #pragma once\n"), "a.h:1: ", "begin it")

    def test_length_of_files(self):
        self.assertEqual(self.check_one("a.cc", "\n" * 500), [])
        self.assert_fault(self.check_one("a.cc", "\n" * 501), "a.cc:501: ", "split")

    def test_length_of_functions(self):
        for head in ("int f(int a) {", "A() : b_{1}, c_(2) {", "auto f() -> Result<int> {",
                     "bool f(std::string_view\n       text) const {", "TEST_F(A, B) {"):
            with self.subTest(head):
                limit = 100 if head.startswith("TEST") else 70
                around = "namespace a {\nclass B : public C {\n %s\n%s}\n};\n}  // namespace a\n"
                fits = around % (head, STEP * limit)
                self.assertEqual(self.check_one("a.cc", fits), [])
                line = 3 + head.count("\n")
                self.assert_fault(self.check_one("a.cc", around % (head, STEP * (limit + 1))),
                                  f"a.cc:{line}: ", f"{limit + 1} lines", "steps")

    def test_a_table_may_be_long(self):
        switch = "int f() {\n" + "    case kSome:\n\n" * 80 + STEP * 70 + "}\n"
        self.assertEqual(self.check_one("a.cc", switch), [])
        array = "const int kTable[] = {\n" + "  1,\n" * 99 + "};\n"
        self.assertEqual(self.check_one("a.cc", array), [])


if __name__ == "__main__":
    unittest.main()
