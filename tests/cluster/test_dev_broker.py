"""One broker with --dev, and what the command line promises about bytes and exit codes."""
import os
import signal
import subprocess
import tempfile

from harness import BIN, ROOT, Failure, free_ports, wait_until
from workload import run

TRICKY = [b"", b"plain", b"with\0nul", b"cr\r", b"", "grüße".encode(), bytes(range(1, 10)), b"x" * 100000]


def dev_broker_keeps_bytes_and_exit_codes():
    base = os.path.join(ROOT, "build", "cluster-tests")
    os.makedirs(base, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as directory:
        ports = free_ports(3)
        log = open(os.path.join(directory, "log"), "wb")
        broker = subprocess.Popen([os.path.join(BIN, "logflumed"), "--dev", "--client-port", str(ports[0]), "--peer-port",
                                   str(ports[1]), "--admin-port", str(ports[2])], cwd=directory, stderr=log)
        env = dict(os.environ, LOGFLUME_BROKERS="127.0.0.1:%d" % ports[0])

        def cli(*arguments, data=None):
            return subprocess.run([os.path.join(BIN, "logflume"), *arguments], input=data, capture_output=True, env=env,
                                  timeout=60)

        def expect(code, done, words):
            if done.returncode != code:
                raise Failure("%s: exit %d instead of %d: %s" % (words, done.returncode, code, done.stderr.decode()))
            return done
        try:
            wait_until("topic create", lambda: cli("topic", "create", "t", "--partitions", "1", "--replicas", "1")
                       .returncode == 0, 20)
            expect(0, cli("pub", "t", data=b"\n".join(TRICKY)), "pub")
            read = expect(0, cli("sub", "t", "-o", "start", "-e"), "sub").stdout
            if read != b"\n".join(TRICKY) + b"\n":
                raise Failure("what was read is not what was written")
            for codec in ("lz4", "zstd"):
                expect(0, cli("pub", "t", "-z", codec, "-k", "key", "-H", "a=b", data=b"packed\n"), "pub -z " + codec)
            done = expect(0, cli("sub", "t", "-o", "-2", "-e", "-f", "%k %h %s\\n"), "sub -2")
            if done.stdout != b"key a=b packed\n" * 2:
                raise Failure("sub -o -2 printed %r" % done.stdout)
            done = expect(0, cli("sub", "t", "-o", "2", "-c", "1", "-J"), "sub -J")
            if b'"offset":2' not in done.stdout or b"with\\u0000nul" not in done.stdout:
                raise Failure("sub -J printed %r" % done.stdout)
            expect(5, cli("pub", "nosuch", data=b"x\n"), "pub to a topic that is not there")
            expect(5, cli("sub", "nosuch", "-e"), "sub of a topic that is not there")
            expect(5, cli("topic", "describe", "nosuch"), "describe of a topic that is not there")
            expect(2, cli("sub"), "sub without a topic")
            expect(2, cli("pub", "t", "--nosuch"), "unknown flag")
            expect(1, cli("topic", "create", "t", "--partitions", "1", "--replicas", "1"), "topic that exists")
            expect(3, cli("cluster", "status", "-b", "127.0.0.1:1", "--timeout", "1000"), "nobody there")
            expect(0, cli("topic", "delete", "t"), "delete")
            expect(5, cli("sub", "t", "-e"), "sub of a deleted topic")
            broker.send_signal(signal.SIGTERM)
            if broker.wait(timeout=20) != 0:
                raise Failure("SIGTERM: exit %d" % broker.returncode)
        except Failure:
            log.flush()
            print(open(os.path.join(directory, "log"), errors="replace").read()[-3000:])
            raise
        finally:
            if broker.poll() is None:
                broker.kill()
                broker.wait()


if __name__ == "__main__":
    run(dev_broker_keeps_bytes_and_exit_codes)
