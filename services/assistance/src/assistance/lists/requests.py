"""Request models of lists: at most LIST_MAX rows, taken all or none."""

from typing import Annotated

from contracts.assistance.applications import ApplicationId
from contracts.kernel import OrgCode
from contracts.membership import RecordId
from foundation.http.routing import Body
from pydantic import Field

from assistance.applications.requests import ApplicantBody, SubmitBody, VerifyBody, WantedBody
from assistance.hardship.api import HouseholdBody, LevelBody

LIST_MAX = 200
"""Rows of one list: what one sheet of a notice, one agenda and one decision hold."""


class HouseholdsBody(Body):
    organisation: OrgCode
    households: Annotated[list[HouseholdBody], Field(min_length=1, max_length=LIST_MAX)]


class LevelsBody(LevelBody):
    households: Annotated[list[RecordId], Field(min_length=1, max_length=LIST_MAX)]


class ApplicantsBody(WantedBody):
    applicants: Annotated[list[ApplicantBody], Field(min_length=1, max_length=LIST_MAX)]


class VisitBody(VerifyBody):
    application: ApplicationId


class VisitsBody(Body):
    visits: Annotated[list[VisitBody], Field(min_length=1, max_length=LIST_MAX)]


class SubmissionsBody(SubmitBody):
    applications: Annotated[list[ApplicationId], Field(min_length=1, max_length=LIST_MAX)]
