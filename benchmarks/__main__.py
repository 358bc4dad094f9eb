"""The commands in this folder, each with a line that says what it measures.

python -m benchmarks
"""

import ast
from pathlib import Path

HOME = Path(__file__).parent


def commands() -> dict[str, str]:
    """The modules that can be run: name to first line of the docstring."""
    found = {}
    for path in sorted(HOME.glob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        is_run = any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in module.body)
        if is_run and path != Path(__file__):
            found[path.stem] = (ast.get_docstring(module) or "").partition("\n")[0]
    return found


def main() -> None:
    """Print them."""
    found = commands()
    width = max(map(len, found))
    for name, says in found.items():
        print(f"python -m benchmarks.{name:{width}}  {says}")


if __name__ == "__main__":
    main()
