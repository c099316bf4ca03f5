"""The printed invoice (reportlab). Takes milliseconds to tens of them: call it off the event loop."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from billing.amounts import display
from billing.models import InvoiceView

INK, QUIET, LINE = HexColor("#16202c"), HexColor("#5b6876"), HexColor("#d9dfe6")
ACCENT = HexColor("#0b6e6e")
MARGIN = 22 * mm
FRAME_PADDING = 6  # points that reportlab's frames keep on each side
STAMPS = {
    "pending": "Not due yet",
    "due": "Due",
    "paid": "Paid",
    "partly_refunded": "Partly refunded",
    "refunded": "Refunded",
    "void": "Void",
}


@cache
def _fonts() -> tuple[str, str]:
    """Regular and bold, embedded in the file: the standard ones lack letters that names need."""
    folder = Path(reportlab.__file__).parent / "fonts"
    pdfmetrics.registerFont(TTFont("Bedside", folder / "Vera.ttf"))
    pdfmetrics.registerFont(TTFont("Bedside-Bold", folder / "VeraBd.ttf"))
    return "Bedside", "Bedside-Bold"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def render_invoice(view: InvoiceView, patient_name: str) -> bytes:
    """One A4 page or more, as PDF."""
    regular, bold = _fonts()
    invoice, currency = view.invoice, view.invoice.currency
    text = ParagraphStyle("text", fontName=regular, fontSize=9.5, leading=14, textColor=INK)
    quiet = ParagraphStyle("quiet", parent=text, fontSize=8, leading=12, textColor=QUIET)
    right = ParagraphStyle("right", parent=text, alignment=TA_RIGHT)
    strong = ParagraphStyle("strong", parent=text, fontName=bold)
    strong_right = ParagraphStyle("strong_right", parent=right, fontName=bold)
    brand = ParagraphStyle("brand", parent=text, fontName=bold, fontSize=15, leading=20, textColor=ACCENT)
    title = ParagraphStyle("title", parent=text, fontName=bold, fontSize=22, leading=28)
    stamp = ParagraphStyle("stamp", parent=strong_right, textColor=ACCENT, fontSize=11)

    def pair(label: str, value: str) -> list[Paragraph]:
        return [Paragraph(label, quiet), Paragraph(escape(value) or "-", text)]

    width = A4[0] - 2 * MARGIN - 2 * FRAME_PADDING
    number = invoice.number or "to be given"
    head = Table(
        [[Paragraph("Bedside", brand), Paragraph(STAMPS[invoice.status], stamp)]], colWidths=[width / 2, width / 2]
    )
    head.setStyle(TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 0)]))
    facts = Table(
        [
            [pair("BILLED TO", patient_name), pair("PRACTITIONER", view.practitioner_name)],
            [
                pair("ISSUED", _day(invoice.issued_at)),
                pair("PAYABLE BY", _day(invoice.due_at) if invoice.due_at else "after the visit"),
            ],
        ],
        colWidths=[width / 2, width / 2],
    )
    facts.setStyle(
        TableStyle(
            [
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
            ]
        )
    )
    rows = [
        [Paragraph("DESCRIPTION", quiet), Paragraph("AMOUNT", ParagraphStyle("q", parent=quiet, alignment=TA_RIGHT))]
    ]
    rows += [
        [Paragraph(escape(line.description), text), Paragraph(display(line.amount_minor, currency), right)]
        for line in view.lines
    ]
    sums = [("Total", invoice.total_minor, strong, strong_right)]
    for label, amount in (
        ("Covered by the insurer", invoice.covered_minor),
        ("Paid", invoice.paid_minor),
        ("Refunded", invoice.refunded_minor),
    ):
        if amount:
            sums.append((label, amount, text, right))
    if invoice.status == "due":
        sums.append(("To pay", invoice.outstanding, strong, strong_right))
    body = Table(
        rows + [[Paragraph(label, a), Paragraph(display(amount, currency), b)] for label, amount, a, b in sums],
        colWidths=[width * 0.7, width * 0.3],
        repeatRows=1,
    )
    first_sum = len(rows)
    body.setStyle(
        TableStyle(
            [
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 7),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
                ("LINEBELOW", (0, 0), (-1, first_sum - 1), 0.5, LINE),
                ("LINEABOVE", (0, first_sum), (-1, first_sum), 1.2, INK),
            ]
        )
    )
    story = [
        head,
        Spacer(1, 12 * mm),
        Paragraph("Invoice", title),
        Paragraph(f"No. {number}", text),
        Spacer(1, 8 * mm),
        facts,
        Spacer(1, 8 * mm),
        body,
        Spacer(1, 10 * mm),
        Paragraph("Questions about this invoice are answered at the front desk.", quiet),
    ]
    out = BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=20 * mm,
        bottomMargin=20 * mm,
        title=f"Invoice {number}",
        author="Bedside",
        invariant=1,
    )
    document.build(story)
    return out.getvalue()
