# Python: threads, subprocesses and tasks that wait for one another.
cat > work.py << 'PYTHON'
import asyncio, hashlib, os, queue, signal, subprocess, sys, threading, time

rounds = 40
total = 0
lock = threading.Lock()
jobs = queue.Queue(3)

def hashes(n):
    return sum(hashlib.sha256(bytes([n, i])).digest()[0] for i in range(rounds))

def worker():
    global total
    while (job := jobs.get()) is not None:
        with lock:
            total += hashlib.sha256(bytes(job)).digest()[0]

async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    echoed.set()

async def main():
    global echoed
    echoed = asyncio.Event()
    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads: thread.start()
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    server = await asyncio.start_unix_server(echo, os.path.abspath('echo'))
    reader, writer = await asyncio.open_unix_connection(os.path.abspath('echo'))
    task = await asyncio.create_subprocess_exec(
        "tr", "a-z", "A-Z", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    start = time.monotonic()
    for i in range(rounds):
        for n in range(5): await asyncio.to_thread(jobs.put, [n, i])
        child.stdin.write(f"line {i}\n"); child.stdin.flush()
        assert child.stdout.readline() == f"line {i}\n"
        writer.write(f"hello {i}\n".encode())
        assert await reader.readline() == f"HELLO {i}\n".encode()
        task.stdin.write(f"task {i}\n".encode())
        print(i, flush=True)
        await asyncio.sleep(0.02)
    while not os.path.exists("end"): await asyncio.sleep(0.01)
    task.stdin.close()
    said = await task.stdout.read()
    assert said == "".join(f"TASK {i}\n" for i in range(rounds)).encode(), said
    assert await task.wait() == 0
    child.stdin.close()
    assert child.wait() == 0
    writer.close()
    server.close()
    await echoed.wait()
    for _ in threads: jobs.put(None)
    for thread in threads: thread.join()
    assert total == sum(hashes(n) for n in range(5))
    assert time.monotonic() - start >= rounds * 0.02
    return 42

sys.exit(asyncio.run(main()))
PYTHON
start python3 work.py
until_true grep -q '^1$' output
for round in 1 2 3; do
  a_moment 150
  trip
done
ends_with 42
same "the last line" "$(tail -n 1 output)" 39
