"""What every `ReleaseAdmin` must do; a test module runs it against its own `admin` fixture.

The store has FIRST, which is live when a test begins, SECOND, WORSE, which the promotion gate
objects to, and BROKEN, which is refused.
"""

import pytest

from service.domain.releases import ReleaseState, ReleaseStatus
from service.errors import ReleaseRefused
from service.ports.admin import ReleaseAdmin

FIRST, SECOND, WORSE, BROKEN = (f"2023111{day}-000000" for day in (4, 5, 6, 7))
BY = "tests"


async def statuses(admin: ReleaseAdmin) -> dict[str, ReleaseStatus]:
    return {status.name: status for status in (await admin.overview()).releases}


async def live(admin: ReleaseAdmin) -> str | None:
    """What is live, after a look at whether the states agree."""
    overview = await admin.overview()
    by_state = [s.name for s in overview.releases if s.state is ReleaseState.LIVE]
    assert by_state == [overview.live]
    return overview.live


class AdminContract:
    async def test_the_live_release_is_listed_with_its_facts(self, admin: ReleaseAdmin) -> None:
        assert await live(admin) == FIRST
        facts = (await statuses(admin))[FIRST].facts
        assert facts["embedding_version"]
        assert facts["items"]

    async def test_a_loaded_release_waits_beside_the_live_one(self, admin: ReleaseAdmin) -> None:
        status = await admin.load(SECOND, BY)
        assert (status.name, status.state) == (SECOND, ReleaseState.STAGED)
        assert status.facts["items"]
        assert (await statuses(admin))[SECOND].state is ReleaseState.STAGED
        assert await live(admin) == FIRST

    async def test_a_release_goes_live_and_the_former_one_is_previous(
        self, admin: ReleaseAdmin
    ) -> None:
        assert (await admin.activate(SECOND, BY)).state is ReleaseState.LIVE
        assert await live(admin) == SECOND
        assert (await statuses(admin))[FIRST].state is ReleaseState.PREVIOUS

    async def test_rolling_back_makes_the_former_one_live_again(self, admin: ReleaseAdmin) -> None:
        await admin.load(SECOND, BY)
        await admin.activate(SECOND, BY)
        status = await admin.rollback(BY)
        assert (status.name, status.state) == (FIRST, ReleaseState.LIVE)
        assert await live(admin) == FIRST
        assert (await statuses(admin))[SECOND].state is ReleaseState.PREVIOUS

    async def test_loading_or_activating_the_live_release_changes_nothing(
        self, admin: ReleaseAdmin
    ) -> None:
        for status in (await admin.load(FIRST, BY), await admin.activate(FIRST, BY)):
            assert (status.name, status.state) == (FIRST, ReleaseState.LIVE)
        assert await live(admin) == FIRST

    @pytest.mark.parametrize("name", [BROKEN, "20990101-000000"])
    async def test_what_is_refused_is_listed_with_the_reason(
        self, admin: ReleaseAdmin, name: str
    ) -> None:
        for ask in (admin.load, admin.activate):
            with pytest.raises(ReleaseRefused) as refusal:
                await ask(name, BY)
            status = (await statuses(admin))[name]
            assert status.state is ReleaseState.REFUSED
            assert status.reason == refusal.value.reason != ""
            assert status.detail == str(refusal.value) != ""
            assert await live(admin) == FIRST

    async def test_a_release_that_lost_quality_goes_live_only_with_a_reason(
        self, admin: ReleaseAdmin
    ) -> None:
        with pytest.raises(ReleaseRefused) as refusal:
            await admin.activate(WORSE, BY)
        assert refusal.value.reason.startswith("gate_")
        assert await live(admin) == FIRST
        assert (await admin.activate(WORSE, BY, "a test")).state is ReleaseState.LIVE
        assert await live(admin) == WORSE

    async def test_what_was_refused_may_be_asked_for_again(self, admin: ReleaseAdmin) -> None:
        with pytest.raises(ReleaseRefused):
            await admin.activate(BROKEN, BY)
        assert (await admin.activate(SECOND, BY)).state is ReleaseState.LIVE
        assert await live(admin) == SECOND


class HistoryContract:
    async def test_history_tells_what_was_done_and_who_asked_newest_first(
        self, admin: ReleaseAdmin
    ) -> None:
        await admin.load(SECOND, "ann")
        await admin.activate(SECOND, "bob")
        with pytest.raises(ReleaseRefused):
            await admin.activate(BROKEN, "eve")
        await admin.activate(WORSE, "dan", "a test")
        await admin.rollback("cat")
        history = (await admin.overview()).history
        told = [(entry.action, entry.release, entry.outcome, entry.by) for entry in history]
        expected = [
            ("rollback", SECOND, "live", "cat"),
            ("activate", WORSE, "live", "dan"),
            ("activate", BROKEN, "refused", "eve"),
            ("activate", SECOND, "live", "bob"),
            ("load", SECOND, "staged", "ann"),
        ]
        assert [entry for entry in told if entry in expected] == expected
        assert told[0] == expected[0]
        reasons = {entry.release: entry.reason for entry in history if entry.by in ("dan", "eve")}
        assert reasons[WORSE] == "a test"
        assert reasons[BROKEN]
