"""proxy.py - a bad network between a child and its parent: tests/campaign.py, tests/suite_campaign.sh.

One thread carries the bytes of all proxies.  Each connection draws its own fate when it is accepted: whole, cut at
some byte (with FIN or RST, in either direction), delayed, throttled to 1 kB/s, one direction stalled, both directions
silent while both sockets stay open (half-open), or opened twice, the second copy hearing the first bytes again and
then nothing.  Nothing is ever altered or lost inside a connection that lives: TCP does not do that either.
"""
import asyncio
import logging
import random
import socket
import struct
import threading

FATES = ("cut", "reset", "delay", "throttle", "stall", "half_open", "duplicate", "silent")
logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # that a peer is gone is no news here
SLOW_BYTES = 1024  # a second


class Network:
    """All proxies of a world, in one thread of their own."""

    def __init__(self, world, seed):
        self.dice = random.Random(seed)
        self.counts = dict.fromkeys(FATES, 0)
        self.connections = 0
        self.bytes = 0
        self.rough = 0.0  # share of the new connections that something happens to
        self.loop = asyncio.new_event_loop()
        self.proxies = []
        world.relays.append(self)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def proxy(self, to_port):
        p = Proxy(self, to_port)
        p.port = self.call(p.listen())
        self.proxies.append(p)
        return p

    def calm(self):
        """From now on connections are whole; those that are not end here."""
        self.rough = 0.0

        async def cut():
            for p in self.proxies:
                p.cut()
        self.call(cut())

    def close(self):
        if self.loop.is_closed():
            return

        async def end():
            for p in self.proxies:
                p.server.close()
                p.cut()
            for t in asyncio.all_tasks():
                if t is not asyncio.current_task():
                    t.cancel()
            await asyncio.sleep(0)
        try:
            self.call(end())
        except Exception:  # the sockets go with the process in any case
            pass
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


class Proxy:
    def __init__(self, network, to_port):
        self.network, self.to_port = network, to_port
        self.writers = set()
        self.refuse = False  # the network is gone: connections are cut at once

    async def listen(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0, limit=65536)
        return self.server.sockets[0].getsockname()[1]

    def cut(self):
        for w in list(self.writers):
            w.transport.abort()

    async def far(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.to_port, limit=65536)
        self.writers.add(writer)
        return reader, writer

    async def accept(self, near_in, near_out):
        n, dice = self.network, self.network.dice
        n.connections += 1
        self.writers.add(near_out)
        mine = [near_out]
        try:
            if self.refuse:
                return
            far_in, far_out = await self.far()
            mine.append(far_out)
            fate = dice.choice(FATES) if dice.random() < n.rough else None
            plan = Plan(fate, dice)
            if fate:
                n.counts[fate] += 1
            if fate == "duplicate":
                _, again = await self.far()
                mine.append(again)
                plan.again = again
            if fate == "silent":  # a connection that nobody ever speaks on, beside the real one
                _, dumb = await self.far()
                mine.append(dumb)
            await self.both(plan, near_in, near_out, far_in, far_out)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for w in mine:
                self.writers.discard(w)
                w.transport.abort() if w.transport else w.close()

    async def both(self, plan, near_in, near_out, far_in, far_out):
        up = asyncio.ensure_future(self.carry(plan, 0, near_in, far_out))
        down = asyncio.ensure_future(self.carry(plan, 1, far_in, near_out))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if plan.fate == "half_open" and plan.silent:
                await asyncio.sleep(plan.seconds)  # whoever hung up is not seen by the other side
            if plan.fate == "reset":
                for w in (near_out, far_out):
                    s = w.get_extra_info("socket")
                    if s:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def carry(self, plan, way, reader, writer):
        while data := await reader.read(plan.step):
            plan.passed[way] += len(data)
            over = plan.at is not None and plan.passed[way] >= plan.at and way in plan.ways
            if plan.fate == "half_open" and (plan.silent or sum(plan.passed) >= plan.at):
                over = True
            if plan.again and way == 0 and plan.passed[0] <= plan.at:
                plan.again.write(data)
            if over and plan.fate in ("cut", "reset"):
                keep = len(data) - (plan.passed[way] - plan.at)
                writer.write(data[:keep])
                await writer.drain()
                return
            if over and plan.fate in ("stall", "half_open"):
                plan.silent = True
                await asyncio.sleep(plan.seconds)
                if plan.fate == "half_open":
                    return
                plan.at = None  # it flows again
            if plan.fate == "delay":
                await asyncio.sleep(plan.pause)
            if over and plan.fate == "throttle":
                await asyncio.sleep(len(data) / SLOW_BYTES)
                plan.seconds -= len(data) / SLOW_BYTES
                if plan.seconds < 0:
                    plan.at = None
            writer.write(data)
            self.network.bytes += len(data)
            await writer.drain()


class Plan:
    """What happens to one connection.  Places are drawn on a logarithm: as often in the handshake as far behind it."""

    def __init__(self, fate, dice):
        self.fate, self.again, self.silent = fate, None, False
        self.passed = [0, 0]
        self.at = int(2 ** dice.uniform(0, 18)) if fate else None
        self.ways = dice.choice(((0,), (1,), (0, 1)))
        self.seconds = dice.uniform(0.5, 8)
        self.pause = dice.uniform(0.002, 0.15)
        self.step = {"throttle": 256, "delay": 4096}.get(fate, 32768)
        if fate == "half_open":
            self.ways = (0, 1)
        if fate == "throttle":
            self.at = 700 + self.at // 16
