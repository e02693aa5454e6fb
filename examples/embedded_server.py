"""A server inside a program, and the program is one of its guests.

python examples/embedded_server.py
"""

import asyncio

import tcpchat


async def main():
    async with tcpchat.Server(port=0, data=None) as server:  # data=None: nothing stays
        address = f"localhost:{server.port}"
        async with (
            tcpchat.connect(address, login="program") as program,
            tcpchat.connect(address, login="duck") as duck,
        ):
            sent = await duck.send("@program", "quack")
            message = await anext(program.messages())
            print(f"{message.by}: {message.text}")
            program.confirm(message.seq)  # a loop over messages() does this by itself
            await sent.delivered(timeout=5)
            print(f"{sent.state} to program")


asyncio.run(main())
