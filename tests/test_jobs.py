"""Jobs run on one worker only, while their generation serves, and a run that has begun is finished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Worker
from hotbay.activate import Proof
from hotbay.jobs import Jobs, _pauses
from hotbay.model import Kind
from hotbay_sdk.plugin import Mark
from plugs import until

JOB = """
    from hotbay_sdk import context, every
    @every(0.1)
    async def tick():
        own = context(__name__)
        with (own.data / "runs").open("a") as file:
            file.write(f"{own.version}:{own.generation}\\n")
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path)
    yield made
    made.host.close()


@asynccontextmanager
async def working(engine: Engine) -> Any:
    """A worker with its jobs."""
    async with engine.worker() as worker:
        jobs = Jobs(worker.follower)
        jobs.start()
        try:
            yield worker, jobs
        finally:
            await jobs.stop()


def runs(engine: Engine) -> list[str]:
    file = engine.host.settings.data / "shop" / "runs"
    return file.read_text().splitlines() if file.exists() else []


async def more(engine: Engine, count: int = 2) -> list[str]:
    """Wait for `count` runs more; answers them."""
    before = len(runs(engine))
    await until(lambda: len(runs(engine)) >= before + count)
    return runs(engine)[before:]


def leader(*workers: Worker) -> list[Worker]:
    return [worker for worker in workers if worker.follower.leads_jobs]


async def test_a_job_runs_again_and_again_on_one_of_two_workers(engine: Engine) -> None:
    async with working(engine) as (one, _), working(engine) as (two, _):
        await engine.install(files={"jobs.py": JOB})
        await more(engine, 4)
        assert len(leader(one, two)) == 1
        assert len(set(runs(engine))) == 1, "both generations ran the job"
        assert runs(engine)[0] == f"1.0.0:{leader(one, two)[0].generation().number}"


async def test_another_worker_takes_over(engine: Engine) -> None:
    async with working(engine) as (one, jobs):
        await until(lambda: leader(one) == [one])  # before there is another that competes
        async with working(engine) as (two, _):
            await engine.install(files={"jobs.py": JOB})
            await more(engine)
            number = two.generation().number
            assert f"1.0.0:{number}" not in runs(engine)
            await jobs.stop()
            await until(lambda: f"1.0.0:{number}" in runs(engine))


async def test_after_an_upgrade_only_the_new_generations_job_runs(engine: Engine) -> None:
    async with working(engine) as (worker, _):
        await engine.install(files={"jobs.py": JOB})
        await more(engine)
        await engine.install(version="2.0.0", files={"jobs.py": JOB})
        await until(lambda: runs(engine)[-1].startswith("2.0.0"))
        assert {line.partition(":")[0] for line in await more(engine, 3)} == {"2.0.0"}
        await until(lambda: "shop" in worker.follower.proofs)
        assert worker.follower.proofs["shop"] == Proof()


async def test_deactivation_ends_jobs_and_leaves_nothing(engine: Engine) -> None:
    async with working(engine) as (worker, _):
        await engine.install(files={"jobs.py": JOB})
        await more(engine)
        await engine.run(Kind.DEACTIVATE)
        count = len(runs(engine))
        await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name() == "job shop"])
        assert len(runs(engine)) == count
        assert worker.follower.proofs["shop"] == Proof()


SLOW = """
    import asyncio
    from hotbay_sdk import context, every
    @every(0.1)
    async def slow():
        data = context(__name__).data
        (data / "began").write_text("")
        while not (data / "go").exists():
            await asyncio.sleep(0.01)
        (data / "finished").write_text("")
"""


async def test_a_run_that_has_begun_is_finished_before_the_generation_goes(engine: Engine) -> None:
    data = engine.host.settings.data / "shop"
    async with working(engine) as (worker, _):
        await engine.install(files={"jobs.py": SLOW})
        await until(lambda: (data / "began").exists())
        ending = asyncio.create_task(engine.run(Kind.DEACTIVATE))
        await until(lambda: worker.serving() is None)
        await asyncio.sleep(0)
        assert not ending.done()
        assert not (data / "finished").exists()
        (data / "go").write_text("")
        await ending
        assert (data / "finished").exists()
        assert worker.follower.proofs["shop"] == Proof()


async def test_a_run_that_does_not_end_is_ended_at_the_drain_deadline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(tmp_path, drain_seconds=0.05)
    data = engine.host.settings.data / "shop"
    with caplog.at_level(logging.WARNING):
        async with working(engine) as (worker, _):
            await engine.install(files={"jobs.py": SLOW})
            await until(lambda: (data / "began").exists())
            await engine.run(Kind.DEACTIVATE)
            assert worker.follower.proofs["shop"] == Proof()
    assert not (data / "finished").exists()
    assert "job slow was ended at the drain deadline" in caplog.text
    engine.host.close()


async def test_a_job_that_fails_is_logged_and_runs_again(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    text = """
        from hotbay_sdk import every
        @every(0.1)
        def broken():
            raise RuntimeError("no")
    """
    with caplog.at_level(logging.ERROR):
        async with working(engine):
            await engine.install(files={"jobs.py": text})
            await until(lambda: len([item for item in caplog.records if "broken failed" in item.getMessage()]) >= 2)
    assert {record.name for record in caplog.records} == {"hotbay.plugin.shop"}


async def test_where_jobs_are_switched_off_none_run(tmp_path: Path) -> None:
    engine = Engine(tmp_path, jobs=False)
    async with working(engine) as (worker, jobs):
        await engine.install(files={"jobs.py": JOB})
        assert not jobs.post.started
        assert not worker.follower.leads_jobs
    engine.host.close()


def test_the_pauses_of_every_and_of_cron() -> None:
    assert [pause() for pause in islice(_pauses(Mark("every", "", seconds=0.5)), 3)] == [0.5, 0.5, 0.5]
    first, second = (pause() for pause in islice(_pauses(Mark("cron", "* * * * *")), 2))
    assert 0 <= first <= 60
    assert first < second <= first + 60.5


def test_a_cron_job_waits_for_its_hour() -> None:
    now = datetime.now()
    wanted = (now.hour + 2) % 24
    pause = next(_pauses(Mark("cron", f"0 {wanted} * * *")))()
    assert 3600 - 60 < pause <= 7200 + 3600, "within the second hour from now (an hour's grace for summer time)"


async def test_a_job_waits_while_the_tables_of_its_plugin_change(engine: Engine) -> None:
    async with working(engine) as (worker, _):
        await engine.install(files={"jobs.py": JOB})
        await more(engine)
        serving = worker.serving()
        assert serving is not None
        serving.hold()
        await asyncio.sleep(0.3)  # A run that had begun is finished.
        before = runs(engine)
        await asyncio.sleep(0.5)
        assert runs(engine) == before
        serving.release()
        await more(engine)
