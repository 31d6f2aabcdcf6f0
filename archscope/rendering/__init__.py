"""Tables and findings as text: for terminals, Markdown, LaTeX, CSV, JSON and notebooks."""

from archscope.rendering.formats import (
    FORMATS,
    RenderOptions,
    TableFormat,
    find_format,
    find_format_by_suffix,
    list_formats,
    render,
)

__all__ = [
    "FORMATS",
    "RenderOptions",
    "TableFormat",
    "find_format",
    "find_format_by_suffix",
    "list_formats",
    "render",
]
