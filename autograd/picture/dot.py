"""DOT text in the house style: an empty drawing, and labels.  It knows nothing of graphs and networks."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import graphviz

INK = "#333333"
_FONT = {"fontname": "Helvetica", "fontsize": "11", "fontcolor": INK}


def canvas(**attributes: str) -> graphviz.Digraph:
    """An empty drawing in the house style, with these attributes of the graph."""
    import graphviz

    return graphviz.Digraph(
        graph_attr={"bgcolor": "white", "fontname": "Helvetica", "fontsize": "11", **attributes},
        node_attr={"shape": "box", "style": "rounded,filled", "fillcolor": "white", "color": "#8a8a8a", **_FONT},
        edge_attr={"color": "#8a8a8a", "arrowsize": "0.6", **_FONT, "fontsize": "9"},
    )


def table(rows: Iterable[str]) -> str:
    """An HTML-like label: rows of markup, one below the other."""
    cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
    return f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>>'


def escape(text: str) -> str:
    """Text for an HTML-like label: none of it is markup, and lines stay lines.

    >>> escape('a<b> & "c"' + "\\n{d|e}")
    'a&lt;b&gt; &amp; &quot;c&quot;<br/>{d|e}'
    """
    shown = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return html.escape(shown).replace("\\", "\\\\").replace("\n", "<br/>")
