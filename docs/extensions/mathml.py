"""Formulas as MathML, which browsers show without a network or a script."""

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
latex = LatexToMathML()


def translated(node, *, displaystyle):
    text = node.astext().strip()
    try:
        return latex.convert_with_local_state(text, displaystyle=displaystyle)
    except LatexError as error:
        logger.warning("%s in the formula %r", error, text, location=node)
        return f"<code>{text}</code>"


def inline(translator, node):
    translator.body.append(translated(node, displaystyle=False))
    raise nodes.SkipNode


def display(translator, node):
    # Wide formulas scroll by themselves, so that pages do not.
    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    translator.body.append(translated(node, displaystyle=True))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
