"""A server on the port that is its argument, which does what the first word of each line says.

With `garbled` as a second argument, it answers in no protocol what is neither PING nor FLUSHALL.
"""

import os
import socketserver
import sys
import time

ANSWERS = {b"PING": b"+PONG\r\n", b"FLUSHALL": b"+OK\r\n", b"speak": b"hello\r\n", b"cut": b"$5\r\nab"}

OTHER = b"hello\r\n" if sys.argv[2:] == ["garbled"] else b"-ERR unknown command\r\n"

kept = []


class Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            word = line.strip()
            match word:
                case b"end":
                    print("panic: it was told to end", flush=True)
                    os._exit(1)
                case b"hang":
                    time.sleep(60)
                case b"grow":
                    kept.append(b"x" * (48 << 20))
            # In RESP, a command of one word has two lines before it.
            if not word.startswith((b"*", b"$")):
                self.wfile.write(ANSWERS.get(word, OTHER))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


Server(("127.0.0.1", int(sys.argv[1])), Connection).serve_forever()
