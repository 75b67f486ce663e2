"""The report: pages and figures made from observations and verdicts alone, so they regenerate without training."""

from assay.report.figure import describe_figure, figure
from assay.report.methods import MethodView
from assay.report.page import Page, StudyView, read_page, read_verdicts
from assay.report.site import build

__all__ = ["MethodView", "Page", "StudyView", "build", "describe_figure", "figure", "read_page", "read_verdicts"]
