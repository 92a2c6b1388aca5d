"""The TLS filter without a socket: its other end is Python's own ssl, and bytes arrive as a test cuts them."""

import contextlib
import errno
import random
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import EXPIRED, NOT_YET, Authority, Certified

from loadgen import tls
from loadgen.engine._tls_face import TlsFace
from loadgen.plan import TlsPlan

AGAIN, PROTO, PIPE = -errno.EAGAIN, -errno.EPROTO, -errno.EPIPE
HANDSHAKING = 2


class Peer:
    """A server at the other end, made of an SSLObject between two memories."""

    def __init__(self, own: Certified, change: Callable[[ssl.SSLContext], object] = lambda context: None) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(own.certificate, own.key)
        change(self.context)
        self.begin()

    def begin(self) -> None:
        """Be ready for another stream."""
        self.arrives, self.leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = self.context.wrap_bio(self.arrives, self.leaves, server_side=True)
        self.is_up = False

    def hear(self, face: TlsFace) -> bytes:
        """Take what the client wrote, go on with the handshake, and return the plaintext that has come."""
        self.arrives.write(face.taken())
        if not self.is_up:
            try:
                self.ssl.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.is_up = True
        heard = bytearray()
        try:
            while more := self.ssl.read(1 << 20):
                heard += more
        except ssl.SSLWantReadError:
            pass
        return bytes(heard)

    def say(self, words: bytes) -> bytes:
        """Return plaintext as the bytes of one or more records."""
        self.ssl.write(words)
        return self.leaves.read()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Certified:
    return authority.sign("localhost", "DNS:localhost")


@pytest.fixture
def plan(authority: Authority) -> TlsPlan:
    return TlsPlan(ca_file=str(authority.certificate))


def shaken(face: TlsFace, peer: Peer, cut: Callable[[bytes], Iterator[bytes]] = lambda whole: iter([whole])) -> int:
    """Go on with the handshake until it ends; return the last result of `connected`."""
    result = face.connected()
    for _ in range(10):
        if result != HANDSHAKING:
            break
        with contextlib.suppress(ssl.SSLError):
            peer.hear(face)
        for piece in cut(peer.leaves.read()):
            assert result == HANDSHAKING
            face.feed(piece)
            result = face.connected()
    return result


def up(plan: TlsPlan, peer: Peer) -> TlsFace:
    """Return a filter with a stream whose handshake is over on both sides."""
    face = TlsFace(plan)
    face.connect()
    assert shaken(face, peer) == 1
    assert peer.hear(face) == b""
    assert peer.is_up
    # The tickets of TLS 1.3.
    face.feed(peer.leaves.read())
    assert face.read() == AGAIN
    return face


def all_read(face: TlsFace) -> bytes:
    found = bytearray()
    while isinstance(got := face.read(), bytes):
        found += got
    assert got == AGAIN
    return bytes(found)


def one_by_one(whole: bytes) -> Iterator[bytes]:
    return (whole[at : at + 1] for at in range(len(whole)))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_records_that_come_byte_by_byte_are_read_as_they_were_said(plan: TlsPlan, own: Certified, version: str) -> None:
    peer, face = Peer(own), TlsFace(replace(plan, min_version=version, max_version=version))
    face.connect()
    assert shaken(face, peer, one_by_one) == 1
    assert face.write(b"PING\r\n") == 6
    assert peer.hear(face) == b"PING\r\n"
    found = bytearray()
    for byte in one_by_one(peer.say(b"+PONG\r\n") + peer.say(b"+OK\r\n")):
        face.feed(byte)
        found += all_read(face)
    assert found == b"+PONG\r\n+OK\r\n"


def test_records_cut_anywhere_are_read_in_full_at_once(plan: TlsPlan, own: Certified) -> None:
    """What has arrived whole is returned at that read: the reactor reports no bytes that lie in the filter."""
    peer = Peer(own)
    face = up(plan, peer)
    draw = random.Random(16)
    for _ in range(60):
        said = [draw.randbytes(draw.choice((1, 64, 5_000, 16_384, 30_000))) for _ in range(draw.randint(1, 4))]
        records = [peer.say(words) for words in said]
        whole = b"".join(records)
        cut = draw.randrange(len(whole) + 1)
        face.feed(whole[:cut])
        first = all_read(face)
        assert b"".join(said).startswith(first)
        face.feed(whole[cut:])
        assert face.read() == (b"".join(said)[len(first) :] or AGAIN)
        assert face.read() == AGAIN


def test_a_read_into_little_room_keeps_the_rest_for_the_next(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(plan, peer)
    face.feed(peer.say(b"abcdefgh" * 1000))
    found = bytearray()
    while isinstance(got := face.read(700), bytes):
        assert len(got) <= 700
        found += got
    assert found == b"abcdefgh" * 1000


def test_ciphertext_that_was_not_taken_goes_first_and_counts_once_it_has(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(plan, peer)
    requests = b"".join(b"SET key:%04d %s\r\n" % (n, b"x" * 100) for n in range(1000))
    heard, at, calls = bytearray(), 0, 0
    while at < len(requests):
        calls += 1
        face.allow(777)
        took = face.write(requests[at:])
        assert took == AGAIN or took > 0
        at += max(took, 0)
        heard += peer.hear(face)
        # A byte counts as written only when all of its record has gone.
        assert len(heard) >= at
    face.allow(1 << 40)
    assert heard == requests
    assert calls > len(requests) // 777
    assert face.write(b"PING") == 4
    assert peer.hear(face) == b"PING"


def test_gathered_parts_go_in_their_order(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(plan, peer)
    parts, at, heard = [b"head", bytes(200_000), b"tail"], 0, bytearray()
    whole = b"".join(parts)
    face.allow(100_000)
    while at < len(whole):
        head, middle, tail = whole[at:4], whole[max(at, 4) : 200_004], whole[max(at, 200_004) :]
        took = face.write(*(part for part in (head, middle, tail) if part))
        face.allow(100_000)
        assert took == AGAIN or took > 0
        at += max(took, 0)
        heard += peer.hear(face)
    assert heard == whole


def test_a_request_that_may_have_come_is_never_among_those_that_have_not(plan: TlsPlan, own: Certified) -> None:
    """At every point at which the stream below can end, what the peer reads is what is not unacknowledged, or less."""
    peer = Peer(own)
    face = up(plan, peer)
    lengths = [face.write(b"x" * size) for size in (10, 3_000, 16_384, 50_000, 20)]
    whole = face.taken()
    for missing in (0, 1, 40, 42, 43, 500, 20_000, 50_000, 50_300, 60_000, len(whole) - 1, len(whole)):
        records = whole[: len(whole) - missing]
        readable = sum(n for n in lengths_of(records))
        received = sum(lengths) - face.unacknowledged(missing)
        assert readable <= received <= sum(lengths)
    assert sum(lengths) - face.unacknowledged(0) == sum(lengths)
    assert sum(lengths) - face.unacknowledged(len(whole)) == 0
    assert sum(lengths) - face.unacknowledged(1) == sum(lengths[:-1])


def lengths_of(ciphertext: bytes) -> Iterator[int]:
    """Yield the plaintext length of each whole record of TLS 1.3 with a tag of 16 bytes and a byte for the type."""
    at = 0
    while at + 5 <= len(ciphertext) and at + 5 + (n := int.from_bytes(ciphertext[at + 3 : at + 5])) <= len(ciphertext):
        at += 5 + n
        yield n - 17


def test_what_was_half_taken_may_have_been_received(plan: TlsPlan, own: Certified) -> None:
    face = up(plan, Peer(own))
    face.allow(60_000)
    assert face.write(b"x" * 65_536) == AGAIN
    # `write` has taken nothing, and three records have gone: all that was encrypted counts as received.
    assert face.unacknowledged(0) == -65_536


def test_more_writes_than_are_remembered_count_as_received(plan: TlsPlan, own: Certified) -> None:
    face = up(plan, Peer(own))
    for _ in range(200):
        face.write(b"x")
    assert face.unacknowledged(1 << 20) == 64


def test_an_end_is_read_with_and_without_a_notice(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(plan, peer)
    last = peer.say(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        peer.ssl.unwrap()
    face.feed(last + peer.leaves.read(), end=True)
    assert face.read() == b"last words"
    assert face.read() == b""
    face = up(plan, peer := Peer(own))
    face.feed(peer.say(b"cut off")[:-1], end=True)
    assert face.read() == AGAIN
    assert face.read() == b""


def test_a_write_on_an_ended_stream_fails(plan: TlsPlan, own: Certified) -> None:
    face = up(plan, Peer(own))
    face.hang_up()
    assert face.write(b"PING") == PIPE


def test_a_changed_byte_ends_the_stream_after_what_came_before_it(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(plan, peer)
    good, bad = peer.say(b"good"), bytearray(peer.say(b"bad"))
    bad[-1] ^= 1
    face.feed(good + bytes(bad))
    assert face.read() == b"good"
    assert face.read() == PROTO
    assert "bad record mac" in face.words(errno.EPROTO)


def test_a_close_tells_the_peer(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(plan, peer)
    face.close()
    peer.arrives.write(face.taken())
    assert peer.ssl.read(10) == b""


def test_a_reconnect_resumes_the_session_and_is_counted(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(plan, peer)
    peer.begin()
    face.connect()
    assert shaken(face, peer) == 1
    assert face.resumed() == 1
    peer.begin()
    face.connect("elsewhere")
    assert shaken(face, peer) == PROTO, "the session is not that of another name"


def test_without_resumption_each_handshake_is_a_full_one(plan: TlsPlan, own: Certified) -> None:
    peer = Peer(own)
    face = up(replace(plan, resume=False), peer)
    peer.begin()
    face.connect()
    assert shaken(face, peer) == 1
    assert face.resumed() == 0


# ── What goes wrong in a handshake, in words ────────────────────────────────────────────────────────────────────────


def said(plan: TlsPlan, peer: Peer, host: str = "localhost") -> str:
    """Return the words of a handshake that fails, or whose stream fails at its first read."""
    face = TlsFace(plan)
    face.connect(host)
    if (result := shaken(face, peer)) == 1:
        with pytest.raises(ssl.SSLError):
            peer.hear(face)
        face.feed(peer.leaves.read(), end=True)
        result = face.read()
    assert result == PROTO
    return face.words(errno.EPROTO)


def test_a_certificate_that_is_not_good_is_named(authority: Authority, own: Certified, plan: TlsPlan) -> None:
    assert "for another name than redis.example" in said(plan, Peer(own), "redis.example")
    assert "for another name than sni.example" in said(replace(plan, hostname="sni.example"), Peer(own))
    assert "has expired" in said(plan, Peer(authority.sign("old", "DNS:localhost", valid=EXPIRED)))
    assert "is not valid yet" in said(plan, Peer(authority.sign("new", "DNS:localhost", valid=NOT_YET)))
    assert "an authority that is not trusted here" in said(replace(plan, ca_file=""), Peer(own))


def test_without_verification_any_certificate_is_taken(authority: Authority, plan: TlsPlan) -> None:
    face = TlsFace(replace(plan, verify=False, ca_file=""))
    face.connect("any.example")
    assert shaken(face, Peer(authority.sign("old", "DNS:localhost", valid=EXPIRED))) == 1


def wants_a_certificate(authority: Authority, most: ssl.TLSVersion) -> Callable[[ssl.SSLContext], object]:
    def change(context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)
        context.maximum_version = most

    return change


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_or_its_absence_named(
    authority: Authority, own: Certified, plan: TlsPlan, tmp_path: Path, most: ssl.TLSVersion
) -> None:
    change = wants_a_certificate(authority, most)
    client = authority.sign("client", password="secret")
    mutual = replace(plan, cert=str(client.certificate), key=str(client.key), key_password="secret")
    face = up_with_certificate(mutual, Peer(own, change))
    assert face.write(b"PING") == 4
    assert "client certificate" in said(plan, Peer(own, change))
    stranger = Authority(tmp_path, "another authority").sign("stranger")
    strange = replace(plan, cert=str(stranger.certificate), key=str(stranger.key))
    assert "does not take the client certificate" in said(strange, Peer(own, change))


def up_with_certificate(plan: TlsPlan, peer: Peer) -> TlsFace:
    face = TlsFace(plan)
    face.connect()
    assert shaken(face, peer) == 1
    peer.hear(face)
    assert peer.is_up
    return face


def test_no_common_version_or_cipher_is_named(own: Certified, plan: TlsPlan) -> None:
    def old(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")

    assert "no version of TLS in common" in said(replace(plan, min_version="1.3"), Peer(own, old))
    assert "no cipher in common" in said(replace(plan, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"), Peer(own, old))


@pytest.mark.parametrize("answer", [b"-ERR unknown command\r\n", b"ERROR\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"-"])
def test_an_answer_in_plain_text_is_no_tls(plan: TlsPlan, answer: bytes) -> None:
    face = TlsFace(plan)
    face.connect()
    assert face.connected() == HANDSHAKING
    face.feed(answer, end=True)
    while (result := face.connected()) == HANDSHAKING:
        pass
    assert result == PROTO
    assert "plain text" in face.words(errno.EPROTO)


def test_a_server_that_hangs_up_in_the_handshake_may_be_full(plan: TlsPlan) -> None:
    face = TlsFace(plan)
    face.connect()
    assert face.connected() == HANDSHAKING
    face.feed(b"", end=True)
    assert face.connected() == PROTO
    assert "closed the connection in the handshake: it may be full" in face.words(errno.EPROTO)


# ── Values that cannot be used ──────────────────────────────────────────────────────────────────────────────────────


def test_each_value_that_cannot_be_used_is_named(authority: Authority, own: Certified, tmp_path: Path) -> None:
    encrypted, other = authority.sign("locked", password="secret"), authority.sign("other")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing\n")
    certificate, key = str(own.certificate), str(own.key)
    cases = {
        "ca_file names /no/such.pem, which cannot be read: No such file": TlsPlan(ca_file="/no/such.pem"),
        "which has no certificate in PEM": TlsPlan(ca_file=str(nothing)),
        "ca_dir names /no/such, which is no folder": TlsPlan(ca_dir="/no/such"),
        "which has no certificate by its hash": TlsPlan(ca_dir=str(tmp_path)),
        "cert names /no/such.pem": TlsPlan(cert="/no/such.pem"),
        f"cert names {nothing}, which has no certificate": TlsPlan(cert=str(nothing), key=key),
        "key names /no/such.key": TlsPlan(cert=certificate, key="/no/such.key"),
        f"key names {nothing}, which has no private key": TlsPlan(cert=certificate, key=str(nothing)),
        f"cert names {certificate}, which has no private key": TlsPlan(cert=certificate),
        "which is not the key of the certificate": TlsPlan(cert=certificate, key=str(other.key)),
        "which is encrypted; name": TlsPlan(cert=str(encrypted.certificate), key=str(encrypted.key)),
        "does not open": TlsPlan(cert=str(encrypted.certificate), key=str(encrypted.key), key_password="wrong"),
        "is above tls_max_version": TlsPlan(min_version="1.3", max_version="1.2"),
        "names no cipher that OpenSSL has": TlsPlan(ciphers="NO-SUCH"),
    }
    for words, bad in cases.items():
        [mistake] = tls.mistakes(bad)
        assert words in str(mistake)
        with pytest.raises(tls.BadTlsError):
            tls.context(bad)
    mistakes = tls.mistakes(TlsPlan(ca_file="/no/such", cert="/no/such", ciphers="NO-SUCH"))
    assert [mistake.field for mistake in mistakes] == ["ca_file", "cert", "ciphers"]


def test_the_suites_of_tls_1_3_are_refused_where_python_cannot_set_them() -> None:
    mistakes = [*tls.mistakes(TlsPlan(ciphersuites="TLS_AES_128_GCM_SHA256"))]
    assert bool(mistakes) != tls.CAN_SET_CIPHERSUITES
