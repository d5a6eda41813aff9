"""The page's HTML from its parts: templates, style and script in one text that loads nothing."""

from base64 import b64encode
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "assets"  # templates, style and script


def render(**parts: Any) -> str:
    """The page. parts: what the template report.html names. Every text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = _datatables()
    return environment.get_template("report.html").render(
        **parts,
        style=(FOLDER / "style.css").read_text(),
        script=(FOLDER / "script.js").read_text(),
        datatables_style=style,
        datatables_script=b64encode(script.encode()).decode(),
    )


def _datatables() -> tuple[str, str]:
    """Script and style of DataTables with jQuery, as the package itables bundles them for use without a network."""
    from itables import options

    bundle = Path(options.dt_bundle)
    return bundle.read_text(encoding="utf-8"), bundle.with_suffix(".css").read_text(encoding="utf-8")
