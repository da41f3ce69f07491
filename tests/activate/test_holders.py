"""The search for who keeps a generation alive."""

import subprocess
import sys
import textwrap

SEARCH = """
    import asyncio, gc, pathlib, threading
    from hotbay.activate import holders
    from hotbay.activate.owned import Owner

    async def waits():
        await asyncio.get_running_loop().run_in_executor(None, int)

    async def main():
        for _ in range(20):  # The iterators of these futures are dead, and kept for reuse.
            await asyncio.gather(*(waits() for _ in range(5)))
        nowhere = type("Nowhere", (), {})
        loop = asyncio.get_running_loop()
        owner = Owner("shop", "shop_private", pathlib.Path("/nowhere"), {})
        for _ in range(3):
            assert len((await asyncio.to_thread(holders.find, owner, {"shop.Nowhere": nowhere}, loop)).holders) == 1
            await asyncio.gather(*(waits() for _ in range(5)))
            gc.collect()
        print("done")

    asyncio.run(main())
"""


def test_the_search_leaves_what_c_modules_keep_for_reuse_alone() -> None:
    """On 3.12 it freed iterators of futures twice, and the next collection never ended."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SEARCH)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "done\n", done.stderr
