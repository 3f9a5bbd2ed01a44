"""What a route answers where something goes wrong."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from raysim.dashboard.routes import guarded
from raysim.exceptions import LocalRayletDiedError, RaySystemError
from tests.unit.dashboard.asking import ask


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            LocalRayletDiedError("Start another one."),
            "The head's node is gone, and its dashboard ends.",
        ),
        (RaySystemError("No GCS."), "No GCS."),
    ],
)
def test_a_cluster_that_goes_while_it_is_asked_is_no_bug(error: Exception, said: str) -> None:
    """As where the head is killed while a job's log is followed."""

    async def fail(_: Request) -> Response:
        raise error

    answer = ask(Starlette(routes=[Route("/", guarded(fail))]), "/")
    assert answer.status == 503
    assert answer.json()["msg"] == said
