"""Executes the code cells of a notebook without Jupyter, the last expression of each cell included.

    python tests/python/run_notebook.py NOTEBOOK RUN_DIR [OTHER_RUN_DIR]
"""

import ast
import json
import os
import sys
from pathlib import Path

import pandas


def run_cell(source: str, scope: dict, name: str) -> None:
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), scope)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), name, "eval"), scope)
        if value is not None:
            print(value)


def main(notebook: Path, run_dir: Path, other: Path) -> int:
    os.environ.update(MPLBACKEND="Agg", EXGRPO_RUN=str(run_dir), EXGRPO_OTHER=str(other))
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    pandas.set_option("display.width", 200, "display.max_columns", 20)
    scope = {"__name__": "__main__", "display": print}
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        name = f"{notebook.name} cell {index}"
        print(f"-- {name}")
        try:
            run_cell("".join(cell["source"]), scope, name)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    paths = [Path(argument).resolve() for argument in sys.argv[1:]]
    sys.exit(main(paths[0], paths[1], paths[-1]))
