"""Spreadsheets written by hand, as the standards say, so that no library is both writer and reader."""

import zipfile
from datetime import date, datetime, time, timedelta
from xml.sax.saxutils import escape, quoteattr

_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="[h]:mm:ss"/></numFmts><cellXfs>'
    '<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="21"/><xf numFmtId="164"/></cellXfs>'
    "</styleSheet>"
)
_STYLE_OF = {date: 1, datetime: 2, time: 3, timedelta: 4}


def write_xlsx(path, *sheets, hidden=()):
    """Write sheets, each a pair of a name and rows of cells; ``None`` is an empty cell, an exception an error."""
    with zipfile.ZipFile(path, "w") as file:
        names = [f"worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)]
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" Type="{_RELATIONS}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            + "".join(
                f'<Relationship Id="s{number}" Type="{_RELATIONS}/worksheet" Target="{name}"/>'
                for number, name in enumerate(names)
            )
            + f'<Relationship Id="styles" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
            + "".join(
                f'<sheet name={quoteattr(name)} sheetId="{number + 1}" r:id="s{number}"'
                f"{' state=' + quoteattr('hidden') if name in hidden else ''}/>"
                for number, (name, _) in enumerate(sheets)
            )
            + "</sheets></workbook>",
        )
        file.writestr("xl/styles.xml", _STYLES)
        for name, (_, rows) in zip(names, sheets, strict=True):
            cells = "".join(
                f'<row r="{r}">'
                + "".join(_xlsx_cell(f"{chr(64 + c)}{r}", cell) for c, cell in enumerate(row, 1))
                + "</row>"
                for r, row in enumerate(rows, 1)
            )
            file.writestr(f"xl/{name}", f'<worksheet xmlns="{_MAIN}"><sheetData>{cells}</sheetData></worksheet>')
    return path


def _xlsx_cell(place, cell):
    if cell is None:
        return ""
    if isinstance(cell, Exception):
        return f'<c r="{place}" t="e"><v>{cell}</v></c>'
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    style = _STYLE_OF.get(type(cell), 0)
    if isinstance(cell, datetime):
        cell = (cell - _EPOCH) / timedelta(days=1)
    elif isinstance(cell, date):
        cell = (datetime.combine(cell, time()) - _EPOCH).days
    elif isinstance(cell, time):
        cell = (cell.hour * 3600 + cell.minute * 60 + cell.second) / 86_400
    elif isinstance(cell, timedelta):
        cell /= timedelta(days=1)
    return f'<c r="{place}" s="{style}"><v>{cell!r}</v></c>'


def write_ods(path, *sheets):
    """Write sheets, each a pair of a name and rows of cells; see `write_xlsx`."""
    space = "urn:oasis:names:tc:opendocument:xmlns"
    body = "".join(
        f"<table:table table:name={quoteattr(name)}>"
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{space}:manifest:1.0"><manifest:file-entry manifest:full-path="/" '
            'manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>',
        )
        file.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{space}:office:1.0" xmlns:table="{space}:table:1.0" '
            f'xmlns:text="{space}:text:1.0"><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>'
            "</office:document-content>",
        )
    return path


def _ods_cell(cell):
    if cell is None or isinstance(cell, Exception):
        return "<table:table-cell/>"
    if isinstance(cell, bool):
        kind, value = "boolean", f'office:boolean-value="{str(cell).lower()}"'
    elif isinstance(cell, str):
        kind, value = "string", ""
    elif isinstance(cell, date):
        kind, value = "date", f'office:date-value="{cell.isoformat()}"'
    elif isinstance(cell, time):
        kind, value = "time", f'office:time-value="PT{cell.hour:02}H{cell.minute:02}M{cell.second:02}S"'
    elif isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        kind, value = "time", f'office:time-value="PT{minutes // 60:02}H{minutes % 60:02}M{seconds:02}S"'
    else:
        kind, value = "float", f'office:value="{cell!r}"'
    return (
        f'<table:table-cell office:value-type="{kind}" {value}><text:p>{escape(str(cell))}</text:p></table:table-cell>'
    )
