"""The sentence of each kind of problem: other tests have the codes and the places of problems only."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_problems import found, problem

from loadgen.config.tables.refused import ProblemCode

SENTENCES = [
    (
        '[[fault]]\nkind = "pause"\ndelay = "1s"',
        "not-of-kind",
        'is no parameter of the kind "pause"; it has none of its own',
    ),
    (
        '[[fault]]\nkind = "kill"\non = 2',
        "no-node",
        "there is 1 node, and no node 2; name nodes that target.endpoints has, or [target.server]",
    ),
    (
        '[[fault]]\nkind = "kill"\nat = "90s"',
        "never-begins",
        "the fault would begin after 90s, and the measurement lasts 1m; let it begin sooner, or make general.duration "
        "longer",
    ),
    (
        '[general]\nrequests = 10\n[[fault]]\nkind = "kill"',
        "no-known-length",
        "a measurement of a number of requests may be over before a fault begins; set general.duration instead of "
        "general.requests",
    ),
    (
        '[[fault]]\nkind = "kill"\n[workload.saturation_search]',
        "faults-in-a-search",
        "a search looks for the highest rate of servers without faults; leave out the faults, or the search",
    ),
    (
        '[[check]]\nexpr = "p98 < 5ms"',
        "unknown-name",
        "column 1: there is no p98 here; did you mean p99?",
    ),
    (
        '[[check]]\nexpr = "p99 < 5"',
        "no-condition",
        "column 7: p99 is a time, and 5 is a number: they cannot be compared; write it with a unit, such as 5ms",
    ),
    (
        '[general]\ncpu_list = "99999"',
        "absent-cpu",
        "names CPU 99999, which this machine does not have; name CPUs that it has",
    ),
    (
        '[target.server]\ncommand = ["s", "\\u0000"]',
        "bad-character",
        "has a null character, which no process can be given; leave it out",
    ),
    (
        '[workload.keyspace]\nprefix = "a b"',
        "bad-character",
        'has a character that a key may not have everywhere; write visible ASCII, such as "user:"',
    ),
    (
        "[target.server]\nenv = { 'A=B' = '' }\ncommand = [\"s\", \"{port}\"]",
        "bad-name",
        'names a variable "A=B", as none can be; write one such as LISTEN',
    ),
    (
        '[target.server]\nfiles = { "../x" = \'\' }\ncommand = ["s", "{port}"]',
        "bad-name",
        'names a file "../x", as none in the server\'s own folder can be; write a name without a slash, such as '
        "server.toml",
    ),
    (
        "[target.server]\nfiles = { 'server.log' = '' }\ncommand = [\"s\", \"{port}\"]",
        "bad-name",
        'names a file "server.log", which is loadgen\'s own; write another name',
    ),
    (
        '[target.server]\ncommand = ["s", "{prt}"]',
        "bad-placeholder",
        "has {prt}, which stands for nothing; what is filled in is {host}, {port}, {dir}, {socket}",
    ),
    (
        '[target.server]\nbuild = ["make", "{dir}/x"]\ncommand = ["s", "{port}"]',
        "bad-placeholder",
        "has {dir}, which is filled in in command, env and files only; write the path itself",
    ),
    (
        "[target.server]\ncommand = []",
        "empty",
        'must not be empty; write a list such as ["redis-server", "--bind", "{host}", "--port", "{port}", "--dir", '
        '"{dir}"]',
    ),
    ('[target.server]\ncwd = ""\ncommand = ["s", "{port}"]', "empty", "is empty; write a path, or leave the key out"),
    (
        '[target]\nendpoints = ["a:1", "b:1"]',
        "few-connections",
        "1 connection cannot reach 2 endpoints; set connection.connections to at least 2, or name fewer in "
        "target.endpoints",
    ),
    ('[target]\npassword_env = ""', "invalid", 'string should have at least 1 character, not ""'),
    (
        "[workload.keyspace]\nlength = 4",
        "keys-do-not-fit",
        "1000000 keys do not fit in 4 hex digits; set workload.keyspace.length to at least 5, or count to at most "
        "65536",
    ),
    ('[general]\nthreads = "two"', "malformed", '"two" is not a count; write a whole number, such as "10000" or "10k"'),
    (
        '[general]\nthreads = "1.5"',
        "malformed",
        '"1.5" is not a whole number; write a whole number, such as "10000" or "10k"',
    ),
    (
        '[workload]\nrate_limit = "5x"',
        "malformed",
        '"5x" is not a rate; write requests per second, such as "5000" or "5k"',
    ),
    (
        "[general]\nduration = -1",
        "malformed",
        '-1 is not a duration; write a number and a unit (ns us ms s m h), such as "10s" or "500ms"',
    ),
    (
        '[general]\ncpu_list = "0-"',
        "malformed",
        '"0-" is not a list of CPUs; write numbers and ranges, such as "0-3,8"',
    ),
    ('[general]\ncpu_list = "3-1"', "malformed", '"3-1" has the range 3-1, which ends before it begins; write 1-3'),
    ('[target]\nendpoints = [\n "h"]', "malformed", '"h" has no port; write host:port, such as "h:6379"'),
    ('[target]\nendpoints = ["h:0"]', "malformed", '"h:0" has port 0, and ports are 1 to 65535'),
    (
        "[[workload.phase]]\nfor = 1\nrate = -1",
        "malformed",
        'must be a rate, such as 5000 or "5k", or the two that the phase goes between, such as [1000, 5000], each from '
        "0 to 1000000000 requests per second",
    ),
    (
        "[slo]\nerrors = -1",
        "malformed",
        'is neither a count, such as 0 or 10, nor a share below 1, such as 0.001 or "0.1%"',
    ),
    (
        "[slo]\nhit_rate_min = 90",
        "malformed",
        'is not a share; write a number from 0 to 1, such as 0.1, or a percentage, such as "10%"',
    ),
    (
        "[compare]\np99 = 5",
        "malformed",
        'is not a change that matters; write a percentage, such as "5%", or false to leave the metric out',
    ),
    ('[compare]\np99 = "0%"', "malformed", "must be more than 0% and at most 1000%, or false to leave the metric out"),
    ('[compare]\nthroughput = "-5%"', "malformed", 'has a sign, and a change either way matters here; write "5%"'),
    ('[gate]\nthroughput = "+5%"', "malformed", 'has the wrong sign; a throughput gets worse by falling: write "-5%"'),
    ('[gate]\nthroughput = "7 %"', "malformed", 'has no sign; a throughput gets worse by falling: write "-7 %"'),
    ('[gate]\np99 = "-5%"', "malformed", 'has the wrong sign; it gets worse by rising: write "+5%"'),
    (
        "[gate]\nserver_cpu = 0.05",
        "malformed",
        'is not a change with its sign; it gets worse by rising: write "+10%", or false to leave the metric out',
    ),
    (
        "[gate]\nthroughput = -0.05",
        "malformed",
        'is not a change with its sign; a throughput gets worse by falling: write "-5%", or false to leave the metric '
        "out",
    ),
    (
        '[target.server]\nlog_patterns = ["E", "("]\ncommand = ["s", "{port}"]',
        "malformed",
        '"(" is not a regular expression (missing ), unterminated subpattern at position 0); write one of Python\'s re',
    ),
    (
        "[[workload.phase]]\nfor = '1s'\nrate = 1\n"
        "[[workload.phase]]\nfor = '60s'\nshape = 'burst'\nrate = [1, 2]\nperiod = '1ms'",
        "many-segments",
        "the phases come to 120001 stretches of one rate, and this one to 120000 of them; make its period longer, or "
        "its steps fewer, for at most 100000",
    ),
    (
        '[target.server]\nlog_patterns = ["E?"]\ncommand = ["s", "{port}"]',
        "matches-all",
        '"E?" is found in every line; write what marks an error',
    ),
    ("[target.server]\n", "missing", "is missing from [target.server]; add it"),
    (
        "[slo.delete]\np99 = 1",
        "never-judged",
        "can never be judged, as workload.commands.delete is 0; leave it out, or give delete a weight",
    ),
    (
        "[slo]\nhit_rate_min = 1\n[workload.commands]\nget = 0",
        "never-judged",
        "can never be judged, as no GET and no MGET is sent; leave it out, or give get a weight",
    ),
    (
        '[slo.get]\np99 = 1\n[target]\nprotocol = "ping"',
        "never-judged",
        'can never be judged, as the protocol "ping" sends no get; write its objectives in [slo]',
    ),
    (
        "[[workload.phase]]\nfor = '900ms'\nshape = 'burst'\nrate = [1, 2]",
        "no-burst",
        "lasts 900ms, and its first burst would come after 900ms; make it longer, or its period shorter",
    ),
    (
        '[target]\nprotocol = "RESP3"',
        "no-choice",
        'must be one of "resp", "resp3", "memcache", "memcache-meta", "memcache-binary", "ping", not "RESP3"; did '
        'you mean "resp3"?',
    ),
    ('[workload]\narrival = "even"', "no-choice", 'must be one of "constant", "poisson", not "even"'),
    (
        '[target]\nprotocol = "ping"\n[workload]\nprefill = true',
        "no-keys",
        'writes keys, and the protocol "ping" has none; set it to false, or the protocol to "resp"',
    ),
    (
        "[workload.saturation_search]\nslo = {}",
        "no-objective",
        'names no objective; write at least one, such as p999 = "1ms"',
    ),
    (
        "[gate]\nthroughput = false\np99 = false\nserver_cpu = false",
        "no-objective",
        "judges nothing, as every metric is false; leave one of them out, or write its change",
    ),
    (
        '[target]\nusername = "x"',
        "no-password",
        "needs a password; add password, of any text where the server asks this user for none",
    ),
    (
        '[target.server]\ncommand = ["s"]',
        "no-port",
        "does not tell the server its port; write {port} where the program takes it, {socket} for a Unix socket, or "
        "set target.server.port to the one it listens on anyway",
    ),
    (
        '[target.server]\ncommand = ["", "{port}"]',
        "no-program",
        "names no program, as its first text is empty; write the program's name there",
    ),
    ("[target]\nendpoints = []", "no-server", 'names no server; write at least one, such as ["127.0.0.1:6379"]'),
    ("[gate]\nslices = 3", "not-a-multiple", "must be a multiple of 2, not 3"),
    (
        "[[workload.phase]]\nfor = 1\nshape = 'ramp'\nrate = [1, 2]\nperiod = '1s'",
        "not-for-shape",
        'is not used by the shape "ramp"; leave it out, or write the shape "sine" or "burst"',
    ),
    (
        '[target]\nprotocol = "momento"',
        "not-supported",
        '"momento" is not supported; write one of "resp", "resp3", "memcache", "memcache-meta", "memcache-binary", '
        '"ping"',
    ),
    (
        '[target]\ntls = true\ntls_ca_file = "/no/such"',
        "tls-unusable",
        "names /no/such, which cannot be read: No such file or directory",
    ),
    (
        '[target]\ntls = true\ntls_key = "/no/such"',
        "no-certificate",
        "belongs to a client's certificate; name that by tls_cert",
    ),
    (
        '[target]\ntracking = "on"',
        "resp3-only",
        'is for RESP3, in which a server pushes the names of keys, and the protocol is "resp"; set target.protocol to '
        '"resp3" (-3), or leave tracking out',
    ),
    (
        "[target]\ntracking_noloop = true",
        "never-used",
        'is an option of tracking, which is "off"; set target.tracking to "on" or "bcast"',
    ),
    (
        '[connection]\nsource_addresses = ["192.0.2.1"]',
        "absent-address",
        "names 192.0.2.1, which is no address of this machine; add it (ip address add 192.0.2.1 dev …), or name "
        "addresses that `ip address` shows",
    ),
    (
        "[connection]\nconnections = 70000",
        "few-ports",
        "70000 connections to one server need 2 source addresses, as each has at most 64512 ports; name 2 in "
        "connection.source_addresses, or open fewer connections",
    ),
    ("[target]\ncluster = true\ndatabase = 1", "without-effect", "must be 0 in a cluster, which has no other database"),
    (
        '[target]\ncluster = true\nsharding = "jump"',
        "without-effect",
        "has no effect where nodes say themselves which keys they have; leave it out",
    ),
    (
        '[target]\nendpoints = ["a:1", "b:1"]\nsharding = "mirrored"\n[connection]\nconnections = 2\n'
        '[workload]\nhistory = "h"',
        "no-keys",
        'is of one value under each key, and "mirrored" has each key on every server; leave the history out, or set '
        'target.sharding to "ketama" or "jump"',
    ),
    (
        '[target]\nendpoints = ["unix:/r.sock"]\n[[fault]]\nkind = "latency"\nat = "1s"',
        "no-node",
        "latency is a fault of the network, and a Unix socket has none; have the server listen on a port",
    ),
    (
        '[target]\ndatabase = 1\nprotocol = "memcache"',
        "resp-only",
        "is for RESP only; leave it out with memcache, which has no databases",
    ),
    (
        '[target]\nprotocol = "memcache"\n[workload.commands]\nmset = 1',
        "protocol-limit",
        'is not a command of "memcache"; memcache stores single keys: send set, with connection.pipeline_depth or '
        "target.memcache.quiet",
    ),
    (
        '[target]\nprotocol = "memcache-meta"\n[workload.commands]\nmget = 1',
        "protocol-limit",
        'is not a command of "memcache-meta"; this dialect reads single keys: send get, with '
        'connection.pipeline_depth or target.memcache.quiet, or set target.protocol to "memcache"',
    ),
    (
        '[workload]\nvalues.ttl = "1s"\ncommands.mset = 1',
        "expires",
        "stores values that live for ever: MSET has no time to live; leave out one of them, or send set instead",
    ),
    (
        '[workload]\nhistory = "h"\ncommands.incr = 1',
        "never-judged",
        "is not in a history, which is of reads, writes and removals of single keys; leave out one of them",
    ),
    (
        "[target]\ncluster = true\n[workload]\nkeyspace.count = 268435457\ncommands.mget = 1",
        "too-large",
        "must be at most 268435456 where keys have owners and mget is sent, as each worker has a table of the keys of "
        "each owner",
    ),
    (
        "[workload]\nkeyspace = {count = 5, counters = 6}\ncommands.incr = 1",
        "too-large",
        "must be at most workload.keyspace.count, 5, as a counter is of a key, not 6",
    ),
    (
        "[target]\ncluster = true\n[workload]\nkeyspace = {count = 5, counters = 4}\ncommands.incr = 1",
        "no-keys",
        "must be left out where keys have owners: each key has a counter then, on the server of the key",
    ),
    (
        '[target]\nprotocol = "memcache"\n[workload]\nkeyspace.length = 243\ncommands.incr = 1',
        "protocol-limit",
        'must be at most 242 with counters, whose keys have "counter:" in front, not 243',
    ),
    ("[workload]\nkeys_per_request = 65", "too-large", "must be at most 64, not 65"),
    (
        "[workload.commands]\nget = 0\nset = 0",
        "nothing-to-send",
        "every weight is 0, so there is nothing to send; give one of get, set, delete, mget, mset and incr a weight",
    ),
    (
        "[[workload.phase]]\nfor = 1\nrate = 0",
        "nothing-to-send",
        "every rate is 0, so there is nothing to send; give a phase a rate",
    ),
    (
        '[target]\nprotocol = "memcache"\n[workload.keyspace]\nlength = 251',
        "protocol-limit",
        "must be at most 250 on memcache, not 251",
    ),
    (
        '[workload.values]\nttl = "1500us"',
        "protocol-limit",
        "must be a multiple of 1ms on resp, not 1500us",
    ),
    (
        '[workload]\nhistory = "h"\n[workload.values]\nttl = "1s"',
        "expires",
        "lets keys expire, and the laws of a history know no time to live; leave out one of them",
    ),
    (
        '[workload.values]\nttl = "721h"',
        "too-large",
        "must be at most 30 days: memcache takes a longer time for a date",
    ),
    (
        '[workload.values]\nlength = "513MiB"',
        "protocol-limit",
        "must be at most 536870912 bytes on resp, not 537919488",
    ),
    (
        "[[workload.phase]]\nfor = 1\nrate = [1, 2]",
        "rates-of-shape",
        'has two rates, and the shape "constant" has one; write one, or a shape such as "ramp"',
    ),
    (
        "[[workload.phase]]\nfor = 1\nshape = 'ramp'\nrate = 5",
        "rates-of-shape",
        'has one rate, and the shape "ramp" goes between two; write them as [from, to]',
    ),
    (
        '[target]\nprotocol = "memcache"\npassword = "x"',
        "no-username",
        "is missing: memcached takes a password with the name of a user only; add username",
    ),
    (
        '[target]\nprotocol = "memcache"\npassword = "x"\nusername = "a b"',
        "bad-character",
        "has a space, a colon or a null, which no user of a memcached has; correct it",
    ),
    (
        "[target.memcache]\nquiet = true",
        "protocol-limit",
        'has no meaning with "resp"; leave it out, or set target.protocol to "memcache" or "memcache-meta" or '
        '"memcache-binary"',
    ),
    (
        '[target]\nprotocol = "memcache-binary"\n[target.memcache]\nget_flags = "vt"',
        "protocol-limit",
        'has no meaning with "memcache-binary"; leave it out, or set target.protocol to "memcache-meta"',
    ),
    (
        '[target]\nprotocol = "memcache_meta"\n[target.memcache]\nquiet = true\nopaque = false',
        "protocol-limit",
        "is false, and without opaque tokens nothing tells which of several quiet requests a reply answers; leave out "
        "one of them",
    ),
    (
        '[target]\nprotocol = "memcache"\nmemcache = { quiet = true }\n[workload]\nhistory = "h"',
        "protocol-limit",
        "leaves writes without a reply, and a history has to know what became of each; leave out one of them",
    ),
    (
        '[target]\nprotocol = "memcache-meta"\nmemcache = { get_flags = "t" }\n[workload]\nhistory = "h"',
        "protocol-limit",
        'has no "v", and a history is of values that are read; add v, or leave out the history',
    ),
    (
        '[target]\nprotocol = "memcache-meta"\nmemcache = { base64_keys = true }\n[workload.keyspace]\nlength = 187',
        "protocol-limit",
        "must be at most 186 in base64, not 187",
    ),
    (
        '[target]\nprotocol = "memcache-meta"\nmemcache = { get_flags = "vq" }',
        "unknown-name",
        'has "q", which is none of c, f, h, l, s, t, u, v; k, O, b and q have keys of their own',
    ),
    (
        '[target]\nprotocol = "memcache-meta"\nmemcache = { get_flags = "vv" }',
        "twice",
        'has "v" twice; write each flag once',
    ),
    (
        '[target]\nprotocol = "memcache"\nprecheck = "hello"',
        "resp-only",
        'is "hello", which memcache does not have; write "ping", which asks for its version',
    ),
    (
        '[target]\nendpoints = ["a:1", "b:1"]\n[connection]\nconnections = 2\n[workload.keyspace]\ncount = 1',
        "server-without-keys",
        "none of the 1 keys belongs to a:1; set workload.keyspace.count higher, or name fewer servers in "
        "target.endpoints",
    ),
    (
        "[workload.saturation_search]\nstart_rate = 3\nmax_rate = 2",
        "start-above-max",
        "the search would start at 3/s, above max_rate, 2/s; swap them",
    ),
    ('[general]\nthreads = "9k"', "too-large", "must be at most 4096, not 9000"),
    (
        "[[workload.phase]]\nfor = 5\nshape = 'burst'\nrate = [1, 2]\nwidth = '1s'",
        "too-large",
        "must be shorter than the period, which is 1s, not 1s",
    ),
    (
        '[gate]\nthroughput = "-100%"',
        "too-large",
        'can never be judged, as nothing falls by more than 100%; write less, such as "-5%"',
    ),
    (
        '[workload.keyspace]\nprefix = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
        "too-large",
        "has 41 characters, and a prefix has at most 40; make it shorter",
    ),
    ("[general]\nthreads = 99999999999999999999", "too-large", "must be at most 4096, not 99999999999999999999"),
    (
        "[[workload.phase]]\nfor = '525600h'\nrate = 1\n[[workload.phase]]\nfor = '525600h'\nrate = 1",
        "too-long",
        "the phases last longer than 100 years in all; make them shorter",
    ),
    ("[general]\nthreads = 0", "too-small", "must be at least 1, not 0"),
    ("[general]\nduration = 0", "too-small", 'must be longer than 0; write a duration such as "10s"'),
    ('[general]\ninterval = "1us"', "too-small", 'must be at least "1ms"'),
    ("[workload.keyspace]\nzipf_exponent = 0", "too-small", "must be more than 0, not 0"),
    ('[general]\ncpu_list = "0,0"', "twice", '"0,0" names a CPU twice; name each once'),
    ('[target]\nendpoints = ["h:1", "h:1"]', "twice", 'names "h:1" twice; name each server once'),
    (
        '[target]\npassword = "a"\npassword_env = "B"',
        "two-passwords",
        "gives a second password; keep one of password, password_env and password_file",
    ),
    (
        "[[workload.phase]]\nfor = 1\nrate = 1\n[workload]\nrate_limit = 5",
        "two-rates",
        "workload.rate_limit and workload.phase both set the rate; set rate_limit to 0, or leave the phases out",
    ),
    (
        "[workload]\nset_on_miss = true\nbackfill_on_miss = true",
        "two-spellings",
        "is an older spelling of backfill_on_miss, which is given too; keep one of them",
    ),
    (
        '[target]\nendpoints = ["a:1"]\n[target.server]\ncommand = ["s", "{port}"]',
        "two-targets",
        "names servers that are there, and [target.server] describes one to be started; keep one of them",
    ),
    ('[workload.saturation_search]\nslo = {p98 = "1s"}', "unknown", "unknown key; did you mean p99?"),
    (
        "[workload]\nspin = true\nrate = 5",
        "unknown",
        "unknown key; rate belongs in [[workload.phase]] or [[fault]] or [compare] or [gate]",
    ),
    (
        "[workload.slo]\np99 = 1",
        "unknown",
        "unknown table; slo belongs elsewhere: write [slo] or [workload.saturation_search.slo]",
    ),
    ("[get]\np99 = 1", "unknown", "unknown table; get belongs elsewhere: write [slo.get]"),
    (
        "[[workload.phase]]\nfor = 1\nrate = 1\nzzz = 3",
        "unknown",
        "unknown key; the keys of [[workload.phase]] are for, shape, rate, steps, period, width",
    ),
    (
        "zzz = 1\n",
        "unknown",
        "unknown key; the tables are general, target, connection, workload, fault, monitor, check, band, slo, verdict, "
        "smoke, compare, gate, timestamps, admin, momento",
    ),
    ("[general]\nthreads = true", "wrong-type", "must be a whole number, without quotes, not true"),
    ("general = 3", "wrong-type", "must be a table; write [general] and its keys below, not 3"),
    (
        '[target]\nendpoints = "127.0.0.1:6379"',
        "wrong-type",
        'must be a list, such as ["127.0.0.1:6379"], not "127.0.0.1:6379"',
    ),
    ("[target]\nendpoints = [6379]", "wrong-type", "must be text in quotes, not 6379"),
    ('[target]\ntls = "no"', "wrong-type", 'must be true or false, without quotes, not "no"'),
    ("[workload]\nrate_limit = inf", "wrong-type", "must be a number, without quotes, not inf"),
    (
        '[target.server]\ncommand = "redis-server --port {port}"',
        "wrong-type",
        'is one text, and no shell takes it apart; write a list: ["redis-server", "--port", "{port}"]',
    ),
    (
        '[target.server]\nenv = "A=5"\ncommand = ["s", "{port}"]',
        "wrong-type",
        "must be a table; write [target.server.env] and its keys below, not what it is",
    ),
    (
        '[target.server]\nenv = { A = 5 }\ncommand = ["s", "{port}"]',
        "wrong-type",
        "must be text in quotes, not what it is",
    ),
    (
        "[workload]\nphase = 5",
        "wrong-type",
        "must be a list of tables; write [[workload.phase]] above the keys of each",
    ),
]

ELSEWHERE = {ProblemCode.CAUTION, ProblemCode.NOT_OF_A_SERVER}
"""Cautions are tested in test_cautions, a server file in test_server."""


@pytest.mark.parametrize(("text", "code", "sentence"), SENTENCES)
def test_a_problem_says_what_is_wrong_and_what_would_be_right(
    tmp_path: Path, text: str, code: str, sentence: str
) -> None:
    [(place_and_key, its_code)] = found(tmp_path, text)
    assert its_code == code
    assert problem(tmp_path, text) == f"bench.toml:{place_and_key}: {sentence}"


def test_every_code_has_its_sentence_tested() -> None:
    assert {ProblemCode(code) for _, code, _ in SENTENCES} == {*ProblemCode} - ELSEWHERE
