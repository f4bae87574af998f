"""Checks of the C++ sources that no compiler or linter makes: `tidy.py FOLDER`. Takes a second."""

import os
import re
import sys

COLUMNS_MAX = 100
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70  # without blank lines and case labels: a table may be long
TEST_LINES_MAX = 100     # cases and what is expected of them

PURE = ("worker/core/", "capture/core/", "aggregate/core/", "ingest/core/", "operator/plan/",
        "query/")
NOT_PURE = re.compile(r"query/run/|_test\.cc$")
IMPURE = re.compile(r"""
    (\b|_)[Cc]lock::now\b | \b(time|gettimeofday|clock_gettime|localtime)\s*\(
  | \bgetenv\b | \bstd::(jthread|thread|this_thread|async|mutex|condition_variable)\b
  | \b(s?rand\s*\(|random_device)
  | \#include\s*<(thread|mutex|condition_variable|future|netdb\.h|poll\.h|unistd\.h
                  |sys/(socket|epoll|time)\.h|netinet/.*)>""", re.VERBOSE)

LIBRARIES = re.compile(r"#include\s*<((?:nlohmann|simdjson|librdkafka|rocksdb|yaml-cpp|libpq|pqxx"
                       r"|curl|httplib|spdlog|prometheus|CLI)\b[^>]*)>")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)

CODELESS = re.compile(r"""//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"
                         |(?<!\w)'(?:\\.|[^'\\\n])+'""", re.DOTALL | re.VERBOSE)
SCOPE = re.compile(r'(^|\s)(namespace|class|struct|union|enum|extern)\b[^()]*$')
FUNCTION = re.compile(r"\)\s*((const|noexcept|override|final)\s*)*(->[^;]*)?$")
CONTROL = re.compile(r"(else\s+)?(if|for|while|switch|catch|do)\b")


def read(root):
    """{path below root: text} of every source and CMakeLists.txt."""
    texts = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "build" and not name.startswith(".")]
        for name in names:
            if name.endswith((".cc", ".h")) or name == "CMakeLists.txt":
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    texts[os.path.relpath(path, root)] = file.read()
    return texts


def code_of(text):
    """The text without comments and literals; every line stays where it is."""
    return CODELESS.sub(lambda found: "\n" * found[0].count("\n"), text)


def check_pure(path, text):
    if not path.startswith(PURE) or NOT_PURE.search(path):
        return
    for number, line in enumerate(code_of(text).splitlines(), 1):
        if found := IMPURE.search(line):
            yield number, (f"{found[0].strip()} in a pure folder; let the caller in a run folder "
                           "do it, and pass what comes of it")


def check_columns(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns, at most {COLUMNS_MAX}; run make format"


def check_file(path, text):
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield lines, f"{lines} lines, at most {FILE_LINES_MAX}; split it by what it does"
    if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield 1, "a header without a guard; begin it with #pragma once"


def check_functions(path, text):
    """Finds each function's braces: those that open where only namespaces and types are open."""
    code = code_of(text)
    lines = code.splitlines()
    opened = []  # of each brace: whether it is a scope of declarations, its line, its head
    head, number = "", 1
    for char in code:
        number += char == "\n"
        if char == "{":
            opened.append((SCOPE.search(head.strip()) is not None, number, " ".join(head.split())))
        elif char == "}" and opened:
            scope, first, declared = opened.pop()
            outside = all(around for around, _, _ in opened)
            if not scope and outside and FUNCTION.search(declared) and not CONTROL.match(declared):
                body = [line for line in lines[first:number - 1]
                        if line.strip() and not re.match(r"\s*(case\b.*|default):$", line)]
                limit = TEST_LINES_MAX if declared.startswith("TEST") else FUNCTION_LINES_MAX
                if len(body) > limit:
                    yield first, (f"a function of {len(body)} lines, at most {limit}; give its "
                                  "steps names of their own")
        head = "" if char in "{};" else head + char


def check_libraries(texts):
    """A library's header reaches the folder that wraps it, and who asks for it by name."""
    def reached(path, seen):
        if path not in seen and path in texts:
            seen.add(path)
            for included in INCLUDE.findall(texts[path]):
                reached(included, seen)
        return seen

    for path, text in texts.items():
        if not path.endswith((".cc", ".h")) or path.endswith(("_test.cc", "_test_support.h")):
            continue
        for header in sorted(reached(path, set())):
            folder = os.path.dirname(header)
            for library in LIBRARIES.findall(texts[header]):
                if folder != os.path.dirname(path) and f"<{library}>" not in text:
                    yield path, 1, (f"gets <{library}> by way of {header}; keep that library in "
                                    f"{folder}: forward declare, or use it in a .cc only")


def check_named(texts):
    named = set()
    for path, text in texts.items():
        if path.endswith("CMakeLists.txt"):
            for name in re.findall(r"[\w./-]+\.cc\b", text):
                named.add(os.path.normpath(os.path.join(os.path.dirname(path), name)))
    for path in texts:
        if path.endswith(".cc") and path not in named:
            yield path, 1, "no CMakeLists.txt names this file; add it to its folder's, or remove it"


def check(root):
    """Returns a line for each fault: where, what, and what to do."""
    texts = read(root)
    faults = [*check_libraries(texts), *check_named(texts)]
    for path, text in texts.items():
        if path.endswith((".cc", ".h")):
            for rule in (check_pure, check_columns, check_file, check_functions):
                faults += [(path, *fault) for fault in rule(path, text)]
    return [f"{path}:{line}: {what}" for path, line, what in sorted(faults)]


if __name__ == "__main__":
    found_faults = check(sys.argv[1])
    print("\n".join(found_faults))
    sys.exit(1 if found_faults else 0)
