"""When catalogues are made, and that versions only grow. The stamp is a stand-in here; the real one is in
test_registry_process.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from central_registry.administration import Administration
from central_registry.models import CatalogueVersion
from central_registry.notice_board import NoticeBoard, Published
from central_registry.publication import Publisher, load_published
from central_registry.settings import CatalogueSettings
from estamp.catalogue import Catalogue
from estamp.container import Entry
from service_runtime.errors import StampingError
from tests.central_registry.a_registry import MEMBER


async def plain(entries: Sequence[Entry]) -> bytes:
    return entries[0].data


def publisher(administration: Administration, board: NoticeBoard, stamp: Any = plain, **settings: float) -> Publisher:
    return Publisher(administration.engine, "QROO", CatalogueSettings(**settings), stamp, board)


async def until(happened: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.01)


def version(board: NoticeBoard) -> int:
    return board.newest.version if board.newest else 0


async def test_a_catalogue_is_published_once_for_each_change(administration: Administration) -> None:
    board = NoticeBoard()
    publish = publisher(administration, board).publish_if_due
    assert await publish()
    assert not await publish()
    administration.suspend(MEMBER, "a test")
    administration.unsuspend(MEMBER)
    assert await publish()
    assert not await publish()
    assert version(board) == 2
    stored = load_published(administration.engine)
    assert stored == board.newest
    assert stored is not None
    assert Catalogue.load(stored.container).version == 2


async def test_versions_go_on_after_a_restart(administration: Administration) -> None:
    first = NoticeBoard()
    await publisher(administration, first).publish_if_due()
    again = NoticeBoard()
    assert not await publisher(administration, again).publish_if_due()
    assert again.newest == first.newest
    administration.suspend(MEMBER, "a test")
    assert await publisher(administration, NoticeBoard()).publish_if_due()
    newest = load_published(administration.engine)
    assert newest is not None
    assert newest.version == 2


async def test_an_unchanged_catalogue_is_stamped_anew_in_time(administration: Administration) -> None:
    board = NoticeBoard()
    publish = publisher(administration, board, restamp_seconds=3600).publish_if_due
    await publish()
    for shift in (timedelta(hours=-1, seconds=-1), timedelta(hours=1, seconds=1)):
        # As if the clock had gone on, and as if it had been set back: either way it is published again, and higher.
        before = version(board)
        with Session(administration.engine) as session, session.begin():
            moved = datetime.now(UTC) + shift
            session.execute(update(CatalogueVersion).values(published_at=moved))
        board = NoticeBoard()
        publish = publisher(administration, board, restamp_seconds=3600).publish_if_due
        assert await publish()
        assert version(board) == before + 1


async def test_two_processes_of_one_registry_take_over_each_others_catalogues(administration: Administration) -> None:
    one, other = NoticeBoard(), NoticeBoard()
    first, second = publisher(administration, one), publisher(administration, other)
    assert await first.publish_if_due()
    assert not await second.publish_if_due()
    administration.suspend(MEMBER, "a test")
    assert await second.publish_if_due()
    assert not await first.publish_if_due()
    assert version(one) == version(other) == 2


async def test_the_publisher_keeps_trying_and_says_why(administration: Administration) -> None:
    works = False

    async def stamp(entries: Sequence[Entry]) -> bytes:
        if not works:
            raise StampingError("timestamping-failed", "No TSA answered.", "Start it.")
        return entries[0].data

    board = NoticeBoard()
    running = publisher(administration, board, stamp)
    task = asyncio.create_task(running.run())
    try:
        await asyncio.sleep(0.3)
        told = await running.check()
        assert (told.ok, told.reason) == (False, "timestamping-failed")
        assert "No TSA answered" in told.advice
        works = True
        await until(lambda: version(board) == 1)
        await asyncio.sleep(0.05)
        assert (await running.check()).ok
        administration.suspend(MEMBER, "a test")
        await until(lambda: version(board) == 2, seconds=1)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_expired_catalogue_is_not_ready(administration: Administration) -> None:
    board = NoticeBoard()
    past = datetime.now(UTC) - timedelta(seconds=1)
    board.put_up(Published(1, b"", 1, past - timedelta(hours=8), past))
    told = await publisher(administration, board).check()
    assert (told.ok, told.reason) == (False, "catalogue-expired")


async def test_waiting_for_news() -> None:
    board = NoticeBoard()
    now = datetime.now(UTC)

    def put_up(number: int) -> None:
        board.put_up(Published(number, b"", number, now, now + timedelta(hours=8)))

    put_up(3)
    assert (await board.newer_than(2, 5)) is board.newest
    assert await board.newer_than(3, 0.05) is None
    waiting = [asyncio.create_task(board.newer_than(3, 5)) for _ in range(3)]
    await until(lambda: board.waiting == 3)
    put_up(2)
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in waiting)
    put_up(4)
    assert [found.version for found in await asyncio.gather(*waiting) if found] == [4, 4, 4]
    last = asyncio.create_task(board.newer_than(4, 5))
    await until(lambda: board.waiting == 1)
    board.close()
    assert await asyncio.wait_for(last, 0.5) is None


@pytest.mark.parametrize("lifetime", [60.0, 8 * 3600.0])
async def test_the_expiry_is_the_settings(administration: Administration, lifetime: float) -> None:
    board = NoticeBoard()
    await publisher(administration, board, lifetime_seconds=lifetime).publish_if_due()
    assert board.newest is not None
    catalogue = Catalogue.load(board.newest.container)
    assert (catalogue.expires_at - catalogue.issued_at).total_seconds() == lifetime
    assert board.newest.expires_at == catalogue.expires_at
