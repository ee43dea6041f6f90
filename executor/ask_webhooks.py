"""Requests calls of a goal's webhook about questions to a person.

The call is requested in a commit of its own (`webhook.requested`) before the run is given back, and again if
an executor takes over a run with open questions, so that a kill in between loses none.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from contracts.domain import run, webhook
from contracts.domain.webhook import WEBHOOK
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Stream, transact


async def request_webhooks(asking: Stream[run.State], asks: Iterable[run.Asked]) -> None:
    """Request the calls about `asks`, unless they were requested before or the goal wants none.

    The requests are commits of their own. If the process dies before them, the message of the run is
    delivered again, and the next executor requests the calls about all open questions.
    """
    request = asking.state.wanted
    if request is None or webhook.url_for("asked", request) is None:
        return
    for ask in asks:
        wanted = webhook.Requested(ask=run.ask_id(asking.id, ask.step, ask.attempt))
        decide = partial(webhook.request, wanted=wanted)
        id_ = webhook.id_of_ask(wanted.ask)
        record = partial(transact, asking.log, WEBHOOK, id_, decide, asking.origin)
        await retry_forever(record, what=f"to request the call of the webhook about {wanted.ask}")
