"""Runs Argo CD's scripts on objects, with the Lua of the version that Argo CD has in it: 5.1."""

import json
import subprocess
from pathlib import Path
from typing import Any

_LUA = "lua5.1"
# Prints what comes back as JSON. As in Argo CD, there is one kind of number, and neither of the
# libraries string and math.
_RUN = """
local function write(value)
  if type(value) == "table" then
    local parts, list = {}, #value > 0
    for key, item in pairs(value) do
      parts[#parts + 1] = list and write(item) or (string.format("%q", key) .. ":" .. write(item))
    end
    return list and "[" .. table.concat(parts, ",") .. "]" or "{" .. table.concat(parts, ",") .. "}"
  elseif type(value) == "string" then
    return (string.format("%q", value):gsub("\\\\\\n", "\\\\n"))
  end
  return tostring(value)
end
local script, object = assert(loadfile(arg[1])), assert(loadfile(arg[2]))()
local env = {obj = object, ipairs = ipairs, pairs = pairs, error = error, type = type,
             tostring = tostring, tonumber = tonumber, table = table}
print(write(setfenv(script, env)()))
"""


class LuaError(Exception):
    """What the script said."""


def run(script: Path, obj: dict[str, Any], folder: Path) -> Any:
    """What the script returns. folder: for files."""
    runner, argument = folder / "run.lua", folder / "object.lua"
    runner.write_text(_RUN, encoding="utf-8")
    argument.write_text(f"return {literal(obj)}", encoding="utf-8")
    done = subprocess.run([_LUA, runner, script, argument], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise LuaError(done.stderr)
    return json.loads(done.stdout)


def literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{literal(key)}] = {literal(item)}"
                               for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(literal, value)) + "}"
    if value is None:
        return "nil"
    return json.dumps(value, ensure_ascii=False)
