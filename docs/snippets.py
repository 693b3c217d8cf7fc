"""Programs that stand in the README and in the guides.

python docs/snippets.py 1, to print the first of the README.
"""

import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent
MARKDOWN = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DIRECTIVE = re.compile(
    r"^\.\. (?:plot::|code-block:: python)\n((?:   :.*\n)*)\n((?:   .*\n|\n)+)", re.MULTILINE
)


def of_readme():
    """Blocks of the README, each a program of its own."""
    return MARKDOWN.findall((ROOT / "README.md").read_text())


def of_guide(path):
    """The one program that all blocks of a page make."""
    blocks = DIRECTIVE.findall(path.read_text() + "\n")
    return "\n".join(textwrap.dedent(block) for _, block in blocks)


if __name__ == "__main__":
    print(of_readme()[int(sys.argv[1]) - 1])
