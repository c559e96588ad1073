"""Owns bearer tokens: how one is made, found again by its hash, put down as used, and revoked.

Must not know the protocol, nor what a token lets its owner do.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Q
from django.utils import timezone

from fsm_lifecycle.access.actors import is_user
from fsm_lifecycle.access.current import refuse_in_tool
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.runs import profile_of
from fsm_lifecycle.exceptions import ActorRequired
from fsm_lifecycle.models import McpToken

#: Every token begins like this, so that a scanner finds one that was published by mistake.
PREFIX: Final = "fsmlc_"
#: How often it is put down that a token is used.
USED_EVERY: Final = timedelta(minutes=1)

_SHAPE: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_MOST_DAYS: Final = 36_500


def create(user: Any, agent: Any = None, days: int | None = 90, *, label: str = "") -> tuple[McpToken, str]:
    """Make a token: its row, and its text, which is kept nowhere. Raises as ``mcp.create_token`` does."""
    refuse_in_tool("makes no token")
    if not is_user(user) or user.pk is None:
        raise ActorRequired(f"{user!r} is no saved user. A token is for one: create_token(request.user).")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or abs(days) > _MOST_DAYS):
        raise ValueError(
            f"days={days!r}: give a whole number of days up to {_MOST_DAYS}, or None for no end."
        )
    key = registry.ALL if agent is None else profile_of(agent).key
    text = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()
    token = McpToken(
        digest=digest_of(text),
        user_id=user.pk,
        agent="" if key == registry.ALL else key,
        label=str(label)[:100],
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    token.save(using=router.db_for_write(McpToken), force_insert=True)
    return token, text


def digest_of(text: str) -> str:
    """What is kept of a token: the hex SHA-256 of its text, which is too long and random to be guessed."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def find(text: str) -> tuple[McpToken, Any] | None:
    """The token of this text and its user, if both may be used now.

    It is looked up by its hash: how long that takes tells nothing of any token's text.
    """
    if not _SHAPE.fullmatch(text):
        return None
    digest = digest_of(text)
    using = router.db_for_write(McpToken)
    token = McpToken.objects.using(using).filter(digest=digest).first()
    if token is None or not hmac.compare_digest(token.digest, digest) or not token.is_valid:
        return None
    user = get_user_model()._base_manager.filter(pk=token.user_id).first()
    if user is None or not user.is_active:
        return None
    return token, user


def use(token: McpToken) -> None:
    """Put down that a token is used now; not each time, because requests come in heaps."""
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - USED_EVERY:
        return
    rows = McpToken.objects.using(token._state.db).filter(pk=token.pk)
    rows.filter(Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)).update(last_used_at=now)


def revoke(token: McpToken) -> bool:
    """End a token now and for ever. False where it was revoked before."""
    rows = McpToken.objects.using(token._state.db).filter(pk=token.pk, revoked_at=None)
    return bool(rows.update(revoked_at=timezone.now()))
