"""Says where Bicep files do not parse: `syntax.py FILE…`."""

import sys
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Parser

parser = Parser(Language(tree_sitter_bicep.language()))
wrong = False
for file in map(Path, sys.argv[1:]):
    left = [parser.parse(file.read_bytes()).root_node]
    while left:
        node = left.pop()
        if node.is_error or node.is_missing:
            line, column = node.start_point
            print(f"{file}:{line + 1}:{column + 1}: this does not parse")
            wrong = True
        left.extend(node.children)
sys.exit(wrong)
