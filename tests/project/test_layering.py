"""Who may import whom: the architecture as a table, held against every `import` and `cimport` in src/loadgen.

A row names a module, or a folder ("room") for every file in it, and lists all that it may import of loadgen. A second
table names the one door of each library from outside.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import SRC

TABLE = """
# The vocabulary: frozen values, which every room may know.
units ←
algebra ←
lazy ←
version ←
percentiles ←
phase ←
command ←
protocol ←
errors ←
escape ←
secret ←
greeting ←
severity ← errors
reason ← severity
signs ← algebra
usage ← units
snapshot ← algebra command engine._histogram
hosts ← signs snapshot
slo ← units percentiles snapshot
overload ← units snapshot
split ←
plan ← units command protocol greeting split
tls ← plan
server_address ← protocol plan
surroundings ←
server_plan ← protocol errors plan surroundings
faults.fault ←
faults.kinds ← faults.fault
faults.timeline ← faults.fault
faults.report ← faults.fault faults.kinds
events ← hosts units phase errors severity reason signs usage snapshot slo overload plan faults.fault faults.report
    stats
    judge.judging judge.check monitors.reading monitors.report

# The wire: bytes ↔ requests, compiled, without a clock or a socket.
_buffer ←
_mark ←
_request ←
_siblings ←
_codec ← _buffer _mark _request _siblings
_resp ← _buffer _request _siblings _codec
_memcache ← _buffer _request _siblings _codec
_meta ← _buffer _request _codec _memcache
_binary ← _buffer _request _codec

# One worker's hot path, compiled, a row for each module; up to `_pipeline` without a clock or a socket.
engine._clock ←
engine._random ←
engine._histogram ←
engine._busy ←
engine._route ←
engine._hashed ← _buffer engine._route
engine._ketama ← engine._hashed
engine._slots ← engine._route
engine._jump ← engine._hashed
engine._sharding ← engine._route engine._ketama engine._jump
engine._chain ← _siblings engine._route engine._sharding engine._slots
engine._keys ← engine._random
engine._values ← _mark engine._random
engine._workload ← _request engine._random engine._route engine._keys
engine._schedule ← engine._random
engine._sink ← _request
engine._recorder ← _request engine._histogram engine._sink
engine._moment ← _request engine._histogram engine._sink
engine._backlog ← _request engine._histogram engine._workload engine._schedule engine._recorder engine._moment
engine._history ← _mark _request engine._sink verify.history._operation
engine._pipeline ← _buffer _mark _request _codec engine._sink
engine._lane ← _request _siblings engine._busy engine._workload engine._schedule engine._sink engine._recorder
    engine._moment engine._history engine._pipeline
engine._pipeline_face ← _buffer _request _siblings _codec engine._recorder engine._history engine._pipeline
    engine._lane
engine._cluster ← _request engine._slots engine._recorder engine._lane
engine._time ← engine._clock
engine._transport ←
engine._tls ← tls engine._transport
engine._server ← engine._transport
engine._tls_face ← engine._tls engine._transport
engine._connection ← _buffer _mark _request _codec engine._values engine._pipeline engine._transport
engine._pauses ← engine._time
engine._life ← units engine._connection
engine._reactor ← engine._clock engine._time
engine._codecs ← _request _codec engine._chain _resp _memcache _meta _binary
engine._pool ← _buffer _mark _request _codec engine._codecs engine._random engine._values engine._schedule
    engine._sink engine._history engine._histogram engine._pipeline engine._transport engine._server
    engine._connection engine._life engine._time
    engine._reactor
engine._window ← _request engine._recorder engine._time engine._pauses
engine._choice ← engine._random engine._lane engine._connection
engine._evidence ← engine._busy engine._lane engine._transport engine._connection
engine._lanes ← _request engine._route engine._sharding engine._slots engine._keys engine._workload engine._schedule
    engine._recorder engine._moment engine._history engine._lane engine._cluster engine._connection engine._pool
engine._engine ← _request _codec engine._busy engine._cluster engine._schedule engine._sink engine._recorder
    engine._moment engine._backlog engine._history engine._pipeline engine._lane engine._lanes engine._time
    engine._transport engine._tls engine._connection engine._life engine._pauses engine._reactor engine._pool
    engine._window engine._choice engine._evidence

# The built-in server: compiled but for `builtin`, which runs it.
server._store ←
server._faults ← engine._random engine._time
server._connection ← engine._time server._store server._faults
server._resp ← server._connection
server._description ← server._store server._connection server._resp
server._redis ← server._store server._connection server._resp server._description
server._memcache ← server._store server._connection
server._null ← server._connection server._resp server._description server._redis server._memcache
server._server ← engine._clock server._store server._faults server._connection server._redis server._memcache
    server._null
server.builtin ← units version protocol errors server._server

# What counts, and what judges.
stats ← engine._random
judge.expression ← units
judge.causes ← units reason signs hosts
judge.verdict ← units severity reason signs snapshot hosts stats judge.causes
judge.check ← severity judge.expression
judge.named ← severity judge.check
judge.judging ← slo judge.verdict judge.check
judge.diagnosis ← units phase protocol escape greeting snapshot plan
judge.failures ← units escape severity reason snapshot judge.diagnosis
judge.outages ← snapshot stats faults.report
judge.lanes ← plan faults.report
judge.monitored ← judge.check judge.expression monitors.reading monitors.report
judge.node_metrics ← percentiles snapshot slo judge.expression
judge.run_metrics ← command percentiles plan snapshot slo usage events faults.report judge.check judge.expression
    judge.monitored judge.node_metrics monitors.reading
compare.shape ← command units plan
compare.metric ← percentiles
compare.settings ←
compare.candidate ← compare.shape
compare.round ← reason events compare.candidate
compare.answers ← severity reason events stats compare.settings compare.candidate
history.point ← escape compare.metric
history.soaks ← units judge.expression soak.asked soak.ended soak.found history.point
history ← units errors escape version stats compare.metric record.read record soak.folder soak.recall history.point
    history.soaks
smoke.limits ←
smoke.observed ←
smoke.check ←
smoke.ended ← severity reason events smoke.check
smoke.criteria ← command units phase escape snapshot plan events judge.diagnosis smoke.limits smoke.observed smoke.check
selftest.reach ← signs plan host

# What touches the machine: its processes, other servers, and the workers.
host._awake ←
host ← units signs host._awake
target.talk ← protocol errors escape secret greeting plan tls
target ← units errors escape secret surroundings server_address server_plan usage plan events target.talk
    topology.ask topology.form
monitors.reading ←
monitors.plan ← units plan
monitors.report ← judge.expression
monitors.account ← units judge.expression monitors.reading monitors.report
monitors.kinds ← command judge.expression
monitors.json_path ←
monitors.series ← judge.expression
monitors.metric ← units judge.expression monitors.series
monitors ← units escape greeting secret plan judge.expression monitors.reading monitors.plan monitors.json_path
    monitors.kinds monitors.series monitors.metric web target.talk
worker ← units phase errors secret signs snapshot plan engine._time engine._reactor engine._history engine._engine host
runner ← hosts topology.ask topology.follow topology.found target.talk units version phase errors escape severity
    reason signs
    usage snapshot slo overload plan events stats
    judge.verdict
    judge.judging judge.diagnosis judge.failures judge.outages judge.lanes judge.check judge.run_metrics faults.kinds
    faults.bench faults.operator_thread faults.report
    faults.timeline verify.history host protocol target.talk worker monitors.reading monitors.report
    monitors.account monitors.plan monitors
topology.found ←
topology.follow ← plan topology.found
topology.ask ← errors escape plan topology.found
topology.form ← errors escape plan server_plan topology.ask topology.found
fleet.frame ←
fleet.pickled ←
fleet.channel ←
fleet.introduction ← fleet.frame
fleet.token ← errors
fleet.stdio ←
fleet.together ← phase snapshot worker runner
fleet.leases ← units
fleet.seed_messages ← fleet.leases verify.account verify.artifact
fleet.study ← fleet.seed_messages
fleet.seed_crew ← units errors events reason fleet.leases fleet.seed_messages fleet.study verify.account verify.artifact
    verify.case verify.ended
fleet.seed_processes ← fleet.seed_messages
fleet.source_files ← errors escape fleet.seed_messages
fleet.agent ← units errors signs worker fleet.frame fleet.introduction fleet.pickled fleet.seed_messages fleet.together
fleet.link ← units escape worker fleet.agent fleet.frame fleet.introduction fleet.pickled
fleet.switchboard ← units runner fleet.agent fleet.channel fleet.link
fleet.machine ← units version errors signs worker host selftest.reach fleet.agent fleet.introduction
    fleet.seed_messages fleet.seed_processes
fleet.launchers.child ← errors escape host fleet.channel
fleet.launchers.asked ← errors
fleet.launchers.dask ← version errors escape host fleet.channel fleet.launchers.asked fleet.launchers.child
fleet.launchers ← units errors escape secret host plan server_address fleet.channel fleet.frame fleet.launchers.asked
    fleet.launchers.child fleet.launchers.dask
fleet.fleet ← units version errors host signs split hosts plan worker runner fleet.introduction fleet.launchers
    fleet.link fleet.switchboard
compare ← monitors.plan
    units percentiles phase errors severity reason signs usage server_plan snapshot slo overload plan events
    stats verify.history judge.verdict judge.failures compare.shape compare.metric compare.settings compare.candidate
    compare.round compare.answers host target.talk target runner record.read record version
smoke ← monitors.plan
    units errors reason usage plan events judge.judging smoke.limits smoke.observed smoke.ended smoke.criteria host
    target.talk target runner version

# Faults, and clients on trial.
faults.interpreter ← errors faults.fault
faults.layer ← errors faults.fault faults.interpreter target
faults.needs ← faults.kinds target
faults.cleanup ← target
faults.surroundings ← surroundings faults.kinds faults.disk
faults.packets ← faults.fault
faults.net ← faults.fault faults.interpreter faults.layer faults.packets target
faults.disk ← protocol faults.fault faults.interpreter faults.layer faults.needs target.talk target
faults.process ← protocol faults.disk faults.fault faults.interpreter faults.layer target.talk target
faults.operator ← errors events faults.fault faults.interpreter faults.report faults.timeline
faults.operator_thread ← plan faults.fault faults.operator faults.report faults.timeline
faults.node ← usage faults.fault faults.interpreter target
web ← escape version
faults.proxy.chain ←
faults.proxy._pump ← engine._time engine._transport faults.proxy.chain
faults.proxy._sockets ← engine._clock engine._time engine._transport faults.proxy._pump
faults.proxy.api ← version web faults.proxy.chain
faults.proxy ← errors escape events plan server_plan web faults.fault faults.interpreter faults.proxy.chain
    faults.proxy._sockets faults.proxy.api target
faults.proxies ← reason server_plan plan faults.interpreter faults.proxy.api faults.proxy
faults.bench ← errors reason usage server_plan plan events faults.disk faults.fault faults.interpreter faults.kinds
    faults.layer faults.needs faults.net faults.node faults.operator faults.operator_thread faults.process
    faults.proxies faults.proxy faults.surroundings target
soak.bands ← judge.expression
soak.folder ← errors escape
soak.store ← soak.folder
soak.checkpoints ← soak.store
soak.wear ← units
soak.asked ← judge.check judge.expression soak.bands soak.checkpoints soak.wear
soak.dataset ← soak.asked soak.checkpoints soak.store
soak.found ← slo judge.expression soak.checkpoints
soak.growths ← units stats soak.store
soak.verdict ← units severity slo judge.check soak.asked soak.bands soak.checkpoints soak.dataset soak.found
    soak.growths
soak.metrics ← command units judge.expression judge.monitored judge.run_metrics soak.asked soak.checkpoints soak.found
    soak.growths soak.store
soak.journal ← units judge.check soak.asked soak.bands soak.checkpoints soak.dataset soak.folder soak.found soak.growths
    soak.metrics soak.store soak.verdict
soak.totals ← command units slo snapshot judge.check judge.expression judge.run_metrics soak.asked soak.found
    soak.metrics
soak.ended ← severity reason events soak.asked soak.checkpoints soak.found soak.verdict
soak.written ← units slo judge.check judge.expression soak.asked soak.bands soak.checkpoints soak.found soak.growths
    soak.verdict
soak.replay ← errors escape reason judge.check soak.asked soak.bands soak.ended soak.folder soak.found soak.journal
    soak.written
soak.recall ← errors escape reason soak.ended soak.folder soak.replay soak.written
soak.status ← units soak.checkpoints
soak.follower ← errors soak.status
soak.evidence ← escape
soak.capture ← soak.evidence
soak.signal ← escape web
soak.served_signal ← errors web soak.signal
soak.observed_signal ← web soak.signal
soak.go ← errors escape soak.observed_signal soak.served_signal soak.signal
soak.diary ← units errors reason events monitors monitors.reading soak.asked soak.capture soak.checkpoints soak.ended
    soak.folder soak.found soak.go soak.journal soak.written
soak.side ← units phase signs usage snapshot plan reason events judge.judging runner monitors soak.asked
    soak.diary soak.ended soak.folder soak.found soak.go soak.journal soak.totals
soak.leader ← units phase errors reason plan events judge.verdict runner soak.asked soak.ended soak.found soak.side
soak.watching ← runner soak.diary soak.ended soak.found
trial.plan ← monitors.plan
    plan judge.check faults.fault
trial.observed ← algebra engine._histogram
trial.value ←
trial.reads ← trial.value
trial.ledger ← trial.value trial.reads
trial.known ← trial.value
trial.counters ←
trial.workloads ← units errors trial.plan
trial.traffic ← units trial.plan
trial.board ← trial.plan trial.traffic trial.known trial.value
trial.sightings ← trial.value trial.reads trial.known trial.board
trial.schedule ← units trial.plan
trial.claims ← trial.schedule
trial.call ← trial.counters trial.ledger trial.sightings trial.traffic
trial.recording ← trial.traffic trial.value trial.call verify.history
trial.book ← engine._histogram trial.observed trial.plan trial.ledger trial.counters trial.reads
    trial.call trial.recording trial.board trial.sightings trial.traffic
trial.adapters ← errors version client client.stats trial.observed trial.plan trial.traffic
trial.sockets ← plan
trial.messages ← trial.observed trial.plan
trial.backend ← units plan
trial.tasks ← units engine._reactor trial.backend trial.plan trial.traffic trial.claims trial.call trial.book
    trial.adapters
trial.threads ← units trial.backend trial.plan trial.traffic trial.claims trial.call trial.book trial.adapters
    trial.tasks
trial.caller ← units errors host engine._time engine._reactor worker trial.observed trial.plan trial.traffic
    trial.board trial.schedule trial.claims trial.recording trial.book trial.adapters trial.sockets trial.messages
    trial.tasks trial.threads
trial.callers ← units errors host worker trial.observed trial.plan trial.messages trial.caller
trial.scenario ← monitors.plan
    units judge.check faults.fault faults.kinds trial.plan
trial.ended ← monitors.report
    severity reason events faults.report judge.named trial.observed trial.plan
trial.evidence ← monitors.reading monitors.report
    faults.fault faults.kinds faults.report trial.ended trial.observed trial.plan
trial.account ← stats faults.report trial.ended trial.evidence trial.observed trial.plan
trial.course ← faults.fault faults.timeline trial.plan
trial.drawn ← units faults.fault faults.kinds trial.plan trial.scenario
trial.metrics ← judge.monitored monitors
    percentiles stats judge.check judge.expression trial.account judge.named trial.ended trial.evidence
    trial.observed
trial.checks ← units faults.kinds faults.report trial.account judge.named trial.ended trial.evidence trial.observed
    trial.plan

# Durable jobs.
jobs.cron ← errors escape
jobs ← units errors escape jobs.cron
jobs.redis.command ←
jobs.redis.scripts ←
jobs.redis.operations ← units jobs jobs.redis.command jobs.redis.scripts
jobs.redis.connection ← escape jobs jobs.redis.command
jobs.redis ← jobs jobs.redis.command jobs.redis.scripts jobs.redis.operations jobs.redis.connection
jobs.sqlite.rules ←
jobs.sqlite.terms ← jobs
jobs.sqlite.schema ← escape jobs
jobs.sqlite.transactions ← units jobs jobs.sqlite.rules jobs.sqlite.schema jobs.sqlite.terms
jobs.sqlite.questions ← units jobs jobs.sqlite.rules jobs.sqlite.schema
jobs.sqlite.schedules ← jobs jobs.sqlite.rules jobs.sqlite.terms jobs.sqlite.transactions
jobs.sqlite ← units escape jobs jobs.sqlite.questions jobs.sqlite.rules jobs.sqlite.schedules jobs.sqlite.schema
    jobs.sqlite.transactions
jobs.opened ← units errors jobs jobs.redis jobs.sqlite
jobs.queue ← units errors jobs jobs.opened
jobs.__init__ ← lazy jobs jobs.queue
jobs.load ← judge.monitored monitors monitors.plan monitors.reading monitors.report
    units percentiles severity reason events engine._histogram stats faults.fault faults.kinds
    faults.report faults.timeline judge.check judge.expression judge.named jobs
jobs.adapters ← errors jobs jobs.load
jobs.leader ← units errors escape severity reason version usage server_plan plan events faults.bench faults.disk
    faults.operator monitors.reading
    faults.fault faults.report faults.timeline host runner target.talk target jobs jobs.queue jobs.adapters jobs.load

# Verification: cases, and campaigns of them.
verify._tape ← engine._random
verify.tape ← verify._tape
verify.world._order ← verify._tape
verify.world._world ← verify._tape verify.world._order
verify.world._network ← verify._tape verify.world._world
verify.world._ground ← engine._reactor engine._time engine._transport verify._tape verify.world._network
    verify.world._world
verify.world._streams ← engine._reactor verify.world._ground verify.world._network
verify.world._resident ← verify.world._ground verify.world._network verify.world._streams verify.world._world
verify.world.disk ←
verify.world.seal ← verify.tape
verify.world.meta_memcached ←
verify.world._accounts ← _request engine._connection engine._engine engine._lane engine._pipeline engine._pool
    engine._recorder engine._sink verify.world._ground verify.world._world
verify.world._backoff ← engine._connection engine._engine engine._pool verify.world._ground verify.world._world
verify.world._calls ← client._breaker client._connection client._core client._node client._pool client._request
    verify.world._network verify.world._world
verify.world._proxy ← engine._reactor faults.proxy._pump verify.world._ground verify.world._network
    verify.world._world
verify.world.proxy ← units plan faults.proxy.api faults.proxy.chain verify.world._ground verify.world._proxy
verify.world.toxics ←
verify.world.policy ← units verify.tape verify.world._order
verify.world.servers ← units plan protocol server._connection server._faults server._memcache server._redis
    server._store verify.world._ground verify.world._network verify.world._streams
verify.world.engine_load ← units phase plan engine._engine engine._history verify.world._accounts verify.world._backoff
    verify.world._ground verify.world._network
verify.durability.survival ← algebra
verify.case ← verify.durability.survival verify.tape
verify.shrink ← verify.tape
verify.whole_file ←
verify.artifact ← errors escape verify.tape verify.whole_file
verify.ended ← units severity reason events verify.durability.survival verify.case
verify.account ← severity reason verify.case verify.ended
verify.compatibility ← verify.case verify.ended
verify.replay ← escape verify.tape verify.case verify.artifact
verify.campaign ← units errors reason events verify.tape verify.case verify.shrink verify.artifact verify.ended
    verify.replay verify.account
verify.reply ← escape
verify.durability ← units faults.fault faults.kinds trial.value verify.durability.survival verify.tape verify.reply
verify.step ← verify.reply
verify.model ← verify.reply
verify.world.fleet ← units phase plan signs snapshot worker fleet.agent fleet.frame fleet.introduction fleet.link
    fleet.seed_messages fleet.switchboard verify.tape verify.world._world
verify.world.redis ← jobs.redis.scripts verify.reply verify.step verify.model verify.world.disk
verify.world.cluster ← verify.reply verify.world._ground verify.world._network verify.world._streams verify.world.redis
verify.world.lookout ← units errors plan topology.ask topology.follow topology.found verify.reply verify.world._ground
    verify.world._network verify.world._streams verify.world.redis
verify.world ← verify.tape verify.world._ground verify.world._network verify.world._resident verify.world._world
verify.scenario ← errors escape server._connection server._memcache server._store verify.case verify.reply verify.step
    verify.tape verify.world verify.world._order verify.world._streams verify.world._world verify.world.disk
    verify.world.meta_memcached verify.world.policy verify.world.proxy verify.world.redis verify.world.seal
    verify.world.toxics
verify.expectation ← verify.reply
verify.history._operation ←
verify.history ← _mark errors escape verify.history._operation
verify.checkers._search ←
verify.checkers._register ← _mark verify.history._operation verify.history verify.checkers._search
verify.checkers.answer ←
verify.checkers ← units errors escape verify.history verify.checkers._register verify.checkers.answer
verify.checked ← severity reason events verify.checkers.answer
verify.spec ← protocol verify.step verify.expectation
verify.grammar ← verify.tape verify.reply verify.step verify.model
verify.comparison ← protocol verify.reply verify.step
verify.subject ← protocol errors escape secret plan server_address server_plan events faults.disk faults.fault
    faults.interpreter faults.layer faults.process faults.surroundings target.talk target verify.durability
    verify.reply verify.step verify.model
verify.fuzz.piece ← verify.tape
verify.fuzz.payload ← verify.fuzz.piece
verify.fuzz.form ← verify.fuzz.piece
verify.fuzz.forms ← verify.fuzz.piece verify.fuzz.payload verify.fuzz.form
verify.fuzz.mutation ← verify.tape verify.fuzz.piece verify.fuzz.form
verify.fuzz ← errors verify.fuzz.piece verify.fuzz.form verify.fuzz.forms
verify.fuzz.servers ← protocol errors escape events server_plan target.talk target verify.reply verify.subject
    verify.fuzz.payload verify.fuzz
verify.mutants._grounds ← verify.world._ground
verify.mutants._steerings ← _request engine._engine engine._lane
verify.mutants ← topology.follow plan protocol errors escape engine._engine server._memcache server._redis
    client.assembly client.batch
    client.breaker client.errors client.reply client.selection client._actions client._breaker client._connection
    client._core client._node client._pool client._request client._text verify.tape verify.case verify.shrink
    verify.step verify.world verify.world._resident verify.world._streams verify.world.disk verify.world.engine_load
    verify.world.redis verify.world.servers verify.mutants._grounds faults.proxy.chain jobs jobs.redis
    jobs.redis.operations jobs.sqlite jobs.sqlite.rules jobs.sqlite.transactions verify.reply verify.mutants._steerings
    verify.world.cluster units worker runner fleet.agent fleet.introduction fleet.link fleet.together
verify.kinds ← units protocol errors escape events server._faults server_plan config faults.fault faults.kinds
    faults.layer faults.needs faults.surroundings target verify.durability verify.durability.survival verify.tape
    verify.case verify.reply verify.step verify.model verify.grammar verify.comparison verify.compatibility
    verify.subject verify.spec verify.fuzz.forms verify.fuzz.mutation verify.fuzz.piece verify.fuzz verify.fuzz.servers
    verify.scenario verify.world verify.world.seal phase plan verify.world._network
    verify.world._world verify.world.engine_load verify.world.servers client client._request client.batch client.breaker
    client.errors client.results engine._history verify.checkers verify.checkers._register verify.history
    verify.world._calls verify.world._ground verify.world._proxy verify.world.policy verify.world.proxy
    verify.world.redis verify.world.toxics verify.mutants jobs jobs.queue jobs.redis jobs.sqlite jobs.load
    topology.follow topology.found verify.world.cluster verify.world.lookout snapshot worker runner fleet.fleet
    fleet.introduction fleet.link verify.world.fleet
verify.bank ← errors escape verify.tape verify.artifact verify.kinds
verify.stress.shape ←
verify.stress.ended ← units severity reason events verify.case verify.stress.shape
verify.full ← units errors severity reason events soak.ended soak.verdict verify.case verify.checked verify.ended
    verify.account verify.stress.ended
verify.stress.stress ← monitors.plan
    errors reason signs plan events judge.judging host target.talk target runner version
    verify.stress.shape verify.stress.ended

# The memcache client: state machines without clock and socket, but for the shell (`client._shell`).
client.errors ←
client.breaker ←
client.pool ←
client.selection ←
client.reply ←
client._connection ←
client._request ← client._connection client.errors client.reply
client.batch ← client._request
client._actions ← client._connection client._request client.batch client.breaker
client._breaker ← client.breaker
client._pool ← client._connection client.pool
client.options ← units client.breaker client.pool client.selection
client.failures ← escape client.breaker client.errors client.options client.reply
client._text ← client._request client.reply
client.meta ← client._request client._text client.reply
client.stats ← client.breaker client.pool
client.results ← client.errors
client.version ←
client._node ← client._actions client._breaker client._connection client._pool client._request client._text
    client.breaker client.failures client.meta client.options client.reply client.stats
client._core ← client._actions client._connection client._node client._request client._text client.batch
    client.errors client.meta client.options client.selection client.stats
client.assembly ← client._breaker client._core client._node client._pool client._request client._text client.meta
    client.options client.selection
client._key ← client.errors
client._shell ← engine._reactor engine._time engine._transport client._actions client._connection client._core
    client._node client._request client.batch client.breaker
client ← client._key client._request client._shell client.assembly client.batch client.breaker client.errors client.meta
    client.options client.pool client.results client.stats client.version
trial.trial ← monitors.reading monitors
    units errors escape version severity reason plan events target.talk runner faults.bench trial.plan
    trial.callers
    trial.backend trial.board trial.ended trial.evidence trial.account trial.course trial.checks trial.metrics
    trial.recording verify.history

# TOML and pydantic.
config.tables ← command units percentiles protocol plan server_address errors slo stats judge.check judge.verdict
    compare.metric compare.settings smoke.limits faults.kinds host monitors.json_path monitors.kinds monitors.metric
    judge.expression soak.bands web
config.document ← units errors secret config.tables
config.told ← command split units errors server_address server_plan plan stats judge.verdict judge.judging
    compare.settings smoke.limits faults.fault faults.kinds judge.expression monitors.plan monitors config.tables
    judge.check soak.bands
config ← command plan server_plan judge.expression host
    units lazy protocol errors escape tls server_address judge.check judge.run_metrics
    faults.fault faults.kinds trial.metrics trial.observed trial.plan trial.scenario
    engine._history engine._sharding config.tables config.document config.told verify.reply verify.step
    verify.expectation verify.spec jobs jobs.cron jobs.load

# What fuzzing gives inputs to, imported by a process of its own.
verify.fuzz.targets ← errors _codec _resp _memcache _meta _binary judge.expression judge.run_metrics faults.proxy.chain
    faults.proxy.api web config verify.fuzz

# Events to JSON, and back.
record.schema ← command percentiles phase reason stats judge.check judge.expression
    compare.metric compare.settings compare.answers
    smoke.criteria faults.fault trial.checks trial.ended trial.observed verify.case verify.checkers.answer
    soak.ended soak.found soak.verdict jobs jobs.load severity
record.write ← hosts command monitors.report
    units percentiles escape severity reason signs usage snapshot slo overload plan events stats
    judge.check
    compare.shape compare.metric compare.candidate compare.round compare.answers smoke.ended record.schema
    faults.fault faults.report judge.named trial.ended trial.observed trial.plan verify.case verify.ended
    verify.compatibility verify.durability.survival
    verify.stress.ended verify.checked verify.checkers.answer soak.asked soak.ended soak.written
    errors jobs jobs.load
record.read ← hosts monitors.reading monitors.report
    units percentiles phase command protocol severity reason signs usage snapshot slo overload plan
    events stats judge.check judge.judging compare.shape compare.settings compare.candidate compare.round
    compare.answers smoke.check smoke.ended record.schema faults.fault faults.report judge.named trial.ended
    trial.observed trial.plan verify.case verify.durability.survival verify.ended
    verify.stress.ended verify.checked verify.checkers.answer verify.stress.shape soak.asked soak.ended soak.written
    jobs jobs.load
record ← phase errors escape events compare.round compare.answers smoke.ended record.write record.read
    trial.ended verify.ended
    verify.stress.ended verify.checked soak.ended jobs.load

# Events to text.
output.words ← command hosts judge.expression monitors.report
    units percentiles phase escape usage snapshot slo overload plan events stats judge.check
    judge.verdict
    compare.metric compare.candidate compare.round compare.answers smoke.check smoke.ended severity faults.fault
    faults.kinds faults.report judge.named trial.ended trial.observed trial.plan trial.evidence verify.case verify.ended
    verify.compatibility verify.durability.survival
    verify.stress.ended verify.checked verify.checkers.answer judge.expression soak.asked soak.checkpoints soak.ended
    soak.found soak.verdict jobs.load
output.paper ← percentiles errors escape output.words
output.pictures ← units escape stats compare.answers judge.expression output.words output.paper verify.checked
    verify.checkers.answer
output.formats ← hosts monitors.report
    units percentiles phase escape severity usage slo plan events stats judge.check judge.verdict
    compare.metric compare.candidate compare.round compare.answers history.point history smoke.check
    smoke.ended record
    output.words output.paper output.pictures judge.named trial.ended trial.observed verify.case verify.ended version
    verify.stress.ended verify.checked verify.checkers.answer soak.asked soak.ended soak.status
    jobs.load
output.reports ← severity errors judge.check escape events stats compare.answers output.words output.paper
    output.formats units judge.named trial.ended verify.case verify.ended verify.stress.ended verify.checked
    output.pictures version severity judge.expression soak.asked soak.bands soak.checkpoints soak.ended soak.folder
    soak.found soak.recall soak.store soak.verdict judge.named jobs.load
output.tui ← lazy units escape phase percentiles severity snapshot overload events stats engine._histogram faults.kinds
    trial.plan trial.observed trial.ended output.words output.paper
output ← lazy errors phase events trial.ended verify.ended jobs.load output.words output.paper output.pictures
    output.reports output.formats output.tui

# The library.
library ← monitors.plan
    units phase errors reason secret server_plan usage plan events judge.judging compare.answers faults.operator_thread
    faults.bench target runner compare config record
__init__ ← lazy version errors reason snapshot slo events _resp _memcache compare.answers runner library

# Tests of users' own code.
testing ← events version verify.artifact verify.campaign verify.ended verify.scenario verify.world.seal
testing.plugin ← testing verify.scenario

# What measures by the library.
selftest.bench ← units errors events judge.verdict selftest.reach runner library

# The command.
cli.options ← units errors escape plan verify.tape verify.kinds
cli.flags ← command protocol errors escape plan config cli.options
cli ← fleet.leases fleet.link fleet.seed_crew fleet.seed_messages fleet.study fleet.source_files verify.account
    fleet.fleet fleet.launchers fleet.launchers.asked fleet.token monitors.plan
    errors escape secret severity reason server_address server_plan usage plan events stats judge.judging
    compare.answers selftest.reach faults.operator_thread faults.bench host target.talk runner compare config.tables
    config output cli.options cli.flags version units faults.fault faults.kinds trial.plan trial.workloads
    trial.adapters trial.scenario trial.drawn verify.kinds verify.case verify.artifact verify.replay verify.ended
    verify.campaign verify.compatibility verify.spec verify.subject verify.tape signs verify.stress.shape record
    verify.full judge.check judge.expression monitors.plan protocol soak.asked soak.bands soak.checkpoints
    soak.leader soak.metrics soak.totals soak.wear output.words soak.ended soak.journal soak.replay soak.side target
    output.formats monitors judge.expression soak.folder judge.named jobs jobs.adapters jobs.leader jobs.load
    jobs.opened
cli.verbs ← fleet.agent fleet.machine fleet.stdio fleet.token units protocol errors escape severity server_plan
    server.builtin compare.answers history smoke.ended
    selftest.reach selftest.bench faults.proxy.chain faults.proxy.api faults.proxy host target runner compare
    smoke config record output.paper output.formats output cli.options cli.flags cli version __init__
    faults.cleanup trial.workloads trial.adapters trial.ended trial.trial verify.kinds verify.artifact verify.replay
    verify.whole_file verify.campaign verify.bank verify.subject verify.spec verify.tape verify.full verify.scenario
    plan verify.stress.ended verify.stress.shape verify.stress.stress verify.checked verify.checkers.answer
    verify.checkers verify.history monitors soak.ended soak.folder soak.leader soak.replay target.talk
    history.point output.reports soak.asked soak.follower soak.status soak.go reason soak.journal
    soak.watching jobs jobs.leader jobs.load
cli.main ← errors escape config cli.options cli.flags cli version
entry ← cli.main
__main__ ← entry
"""


def rows(table: str) -> dict[str, set[str]]:
    """`row ← what it may import`, where lines that are indented go on; `#` begins a comment."""
    joined = re.sub(r"\n[ ]+", " ", re.sub(r"(?m)^#.*", "", table))
    parted = (line.partition("←") for line in joined.splitlines() if line.strip())
    return {row.strip(): set(others.split()) for row, _, others in parted}


MAY_IMPORT = rows(TABLE)

# A row whose files do not import each other. Of any other row, files may.
APART = {"cli.verbs"}
# A face (.pyi) never runs: it may name the types of values too.
NAMED_BY_FACES = {"plan"}

# One door per library, and per header by which C code would read a clock or touch a socket.
DOORS: dict[str, set[str]] = {
    "tomli": {"config"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "orjson": {"record"},
    "hdrh": {"snapshot"},
    "uvloop": {"worker", "server.builtin", "faults.proxy", "trial.caller"},
    "pymemcache": {"trial.adapters"},
    "aiomcache": {"trial.adapters"},
    "coredis": {"trial.adapters"},
    "rq": {"jobs.adapters"},
    "celery": {"jobs.adapters"},
    "arq": {"jobs.adapters"},
    "taskiq": {"jobs.adapters"},
    "taskiq_redis": {"jobs.adapters"},
    "dramatiq": {"jobs.adapters"},
    "dask": {"fleet.launchers.dask"},
    "distributed": {"fleet.launchers.dask"},
    "redis": {"jobs.adapters"},
    "hiredis": {
        "jobs.redis.connection",
        "target.talk",
        "verify.fuzz.targets",
        "verify.world.cluster",
        "verify.world.lookout",
        "verify.world.redis",
    },
    "rich": {"output"},
    "jinja2": {"output.reports"},
    "textual": {"output.tui"},
    "psutil": {"target", "monitors"},
    "prometheus_client": {"monitors"},
    "cronsim": {"jobs.cron"},
    "pytest": {"testing.plugin"},
    "time.h": {"engine._clock"},
    "sys/socket.h": {"engine._transport", "server._connection", "faults.proxy._sockets"},
}
# They are told the time.
WITHOUT_CLOCK = {row for row in MAY_IMPORT if row.startswith(("_", "engine._")) and not row.startswith("__")} - {
    "engine._clock",
    "engine._time",
    "engine._transport",
    "engine._reactor",
}
# They are told time and bytes, so that a simulated world can run them.
SANS_IO = {row for row in MAY_IMPORT if row.startswith("client.")} - {"client._shell"}
SANS_IO |= {"verify.world.servers", "verify.world.engine_load", "verify.world.lookout"}
SANS_IO |= {f"verify.world.{name}" for name in ("_accounts", "_backoff", "_calls")}
SANS_IO |= {f"verify.world.{name}" for name in ("_order", "_world", "_network", "_ground")}
SANS_IO |= {f"verify.world.{name}" for name in ("_proxy", "policy", "proxy", "toxics")}
SANS_IO |= {"verify._tape", "verify.tape", "verify.case", "verify.shrink", "verify.replay", "verify.campaign"}
SANS_IO |= {"verify.account", "fleet.leases", "fleet.seed_messages", "fleet.seed_crew", "fleet.study"}
SANS_IO |= {"verify.expectation", "verify.spec"}
SANS_IO |= {"verify.history._operation", "verify.checkers._search", "verify.checkers._register"}
SANS_IO |= {"verify.checkers.answer", "verify.checkers"}
SANS_IO |= {"verify.durability", "verify.durability.survival"}
SANS_IO |= {f"jobs.sqlite.{name}" for name in ("rules", "terms", "schema", "transactions", "questions", "schedules")}
SANS_IO |= {f"verify.fuzz.{name}" for name in ("piece", "payload", "form", "forms", "mutation")}
SANS_IO |= {"verify.world.disk", "verify.world.meta_memcached", "verify.world.redis", "verify.world.cluster"}
SANS_IO |= {"jobs.redis.command", "jobs.redis.scripts", "jobs.redis.operations"}
SANS_IO |= {"verify.reply", "verify.step", "verify.model", "verify.grammar", "verify.comparison"}
WITHOUT_CLOCK |= SANS_IO | {"faults.proxy.chain", "faults.proxy.api", "faults.proxy._pump"}
WORLD = {"asyncio", "socket", "ssl", "select", "selectors", "threading", "random", "os"}
CLOCKS = {"time", "datetime", "libc.time", "posix.time", "cpython.time"}
COMPILERS_OWN = {"cython", "libc", "posix", "cpython"}


def row_of(module: str) -> str:
    """The longest row that a module's name begins with: `config` of `loadgen.config.loader`, `__init__` of `loadgen`.

    A compiled module of the hot path or of the server, and any module of the root, needs a row of its own. The face of
    a package may have one, where it imports more than the package's modules.
    """
    if (face := module.removeprefix("loadgen.")).endswith(".__init__") and face in MAY_IMPORT:
        return face
    parts = module.removesuffix(".__init__").split(".")[1:]
    for length in range(len(parts), 0, -1):
        if (row := ".".join(parts[:length])) in MAY_IMPORT:
            return row
    # What only holds rows, such as loadgen itself, imports nothing.
    return "__init__" if (SRC / module.replace(".", "/").removesuffix("/__init__")).is_dir() else ".".join(parts)


def python_imports(source: str, package: str) -> Iterator[str]:
    """Every module that Python source imports, anywhere in it, as an absolute dotted name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            yield from absolute("." * node.level + (node.module or ""), names, package)


def cython_imports(source: str, package: str) -> Iterator[str]:
    """The same for Cython, and every C header that it names. Docstrings and comments do not count."""
    yield from re.findall(r"""(?m)^[ \t]*#[ \t]*include[ \t]*[<"]([\w./]+)""", source)
    source = re.sub(r'(""".*?"""|\'\'\'.*?\'\'\'|#[^\n]*)', "", source, flags=re.DOTALL)
    for found in re.finditer(r"(?m)^[ \t]*c?import[ \t]+([\w., \t]+)", source):
        yield from (name.split()[0] for name in found[1].split(","))
    for found in re.finditer(r"(?m)^[ \t]*from[ \t]+([\w.]+)[ \t]+c?import[ \t]*(\([^)]*\)|[^\n]*)", source):
        yield from absolute(found[1], re.findall(r"(\w+)(?:\s+as\s+\w+)?", found[2]), package)
    for found in re.finditer(r"""(?m)^[ \t]*cdef[ \t]+extern[ \t]+from[ \t]+["']<?([\w./]+)""", source):
        yield found[1]


def absolute(written: str, names: list[str], package: str) -> list[str]:
    """`from . import errors` in loadgen imports loadgen.errors; `from loadgen import __version__`, loadgen itself."""
    level = len(written) - len(written.lstrip("."))
    parents = package.split(".")[: len(package.split(".")) - level + 1] if level else []
    module = ".".join([*parents, written.lstrip(".")]).strip(".")
    if module.split(".")[0] != "loadgen":
        return [module]
    return [f"{module}.{name}" if is_module(f"{module}.{name}") else module for name in names]


def is_module(name: str) -> bool:
    path = SRC / name.replace(".", "/")
    return path.is_dir() or any(path.with_suffix(suffix).exists() for suffix in SUFFIXES)


def module_of(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts)


def imports(path: str, source: str) -> list[str]:
    package = ".".join(Path(path).parts[:-1])
    return list((python_imports if path.endswith((".py", ".pyi")) else cython_imports)(source, package))


def own(path: str, source: str) -> set[str]:
    """The rows that a file imports from, without what only a face may name."""
    row = row_of(module_of(path))
    found = {row_of(name) for name in imports(path, source) if name.split(".")[0] == "loadgen"}
    found -= NAMED_BY_FACES if path.endswith(".pyi") else set()
    # A compiled module is several files. One in Python that is a row of its own imports nothing of itself.
    return found if row in APART else found - {row}


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` (loadgen/...) imports and may not, one sentence each."""
    row = row_of(module_of(path))
    if row not in MAY_IMPORT:
        return [f"new module {row}: say in tests/project/test_layering.py what it may import"]
    wrong = [f"{path} may not import {other}" for other in sorted(own(path, source) - MAY_IMPORT[row])]
    for name in imports(path, source):
        top = name.split(".")[0]
        if top == "loadgen":
            continue
        if name in DOORS or top in DOORS:
            doors = DOORS.get(name) or DOORS[top]
            if not any(row == door or row.startswith(f"{door}.") for door in doors):
                wrong.append(f"{path} may not use {name}, whose only door is {' and '.join(sorted(doors))}")
        elif row in WITHOUT_CLOCK and name in CLOCKS:
            wrong.append(f"{path} may not read a clock ({name}): it takes the time as an argument")
        elif row in SANS_IO and top in WORLD:
            wrong.append(f"{path} may not use {top}: it is told what happens, and returns what is to be done")
        elif not (top in sys.stdlib_module_names or top in COMPILERS_OWN or name.endswith(".h")):
            wrong.append(f"new library {top}: say in tests/project/test_layering.py which module is its door")
    return wrong


SUFFIXES = (".py", ".pyi", ".pyx", ".pxd")


def sources() -> list[str]:
    return sorted(str(path.relative_to(SRC)) for path in (SRC / "loadgen").rglob("*") if path.suffix in SUFFIXES)


@pytest.mark.parametrize("path", sources())
def test_a_module_imports_only_what_its_row_allows(path: str) -> None:
    assert violations(path, (SRC / path).read_text()) == []


def test_no_row_allows_more_than_is_used() -> None:
    """So that the table is the architecture, and not a wish."""
    used: dict[str, set[str]] = {row: set() for row in MAY_IMPORT}
    for path in sources():
        used[row_of(module_of(path))] |= own(path, (SRC / path).read_text())
    unused = {row: sorted(allowed - used[row]) for row, allowed in MAY_IMPORT.items() if allowed - used[row]}
    assert unused == {}


def test_no_door_stands_open_that_nobody_goes_through() -> None:
    used = {(name, row_of(module_of(path))) for path in sources() for name in imports(path, (SRC / path).read_text())}
    unused = {
        (library, door)
        for library, doors in DOORS.items()
        for door in doors
        if not any(
            (name == library or name.startswith(f"{library}.")) and (row == door or row.startswith(f"{door}."))
            for name, row in used
        )
    }
    assert unused == set()


def test_the_table_has_no_circle() -> None:
    below = dict(MAY_IMPORT)
    while bottom := {row for row, allowed in below.items() if not allowed}:
        below = {row: allowed - bottom for row, allowed in below.items() if row not in bottom}
    assert below == {}


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("loadgen/plan.py", "import loadgen.config", "may not import config"),
        ("loadgen/plan.py", "def later():\n    from .config import load", "may not import config"),
        ("loadgen/plan.py", "from . import runner", "may not import runner"),
        ("loadgen/output/formats/clean.py", "from loadgen.config import Config", "may not import config"),
        ("loadgen/output/formats/clean.py", "from ...runner import run", "may not import runner"),
        ("loadgen/output/paper/sink.py", "from loadgen.output import create", "may not import output"),
        ("loadgen/cli/verbs/run.py", "from loadgen.cli.verbs.serve import serve", "may not import cli.verbs"),
        ("loadgen/cli/verbs/run.py", "from . import serve", "may not import cli.verbs"),
        ("loadgen/cli/session.py", "from loadgen.cli import main", "may not import cli.main"),
        ("loadgen/output/formats/json.py", "import orjson", "only door is record"),
        ("loadgen/target/server.py", "from hiredis import Reader", "jobs.redis.connection and target.talk"),
        ("loadgen/stats/ranks.py", "import numpy", "new library numpy"),
        ("loadgen/surprise.py", "", "new module surprise"),
        ("loadgen/_surprise.pyx", "", "new module _surprise"),
        ("loadgen/engine/_surprise.pyx", "", "new module engine._surprise"),
        ("loadgen/_codec.pyx", "from loadgen.engine._pipeline cimport Pipeline", "may not import engine._pipeline"),
        ("loadgen/_resp.pxd", "from loadgen cimport _memcache", "may not import _memcache"),
        ("loadgen/_resp.pxd", "from . cimport _memcache", "may not import _memcache"),
        (
            "loadgen/engine/_keys.pyx",
            "from ._pool cimport (\n    Pool,\n)\nfrom ._random cimport Random",
            "engine._pool",
        ),
        ("loadgen/engine/_engine.pyx", "cimport loadgen._buffer, loadgen.server._server", "may not import _buffer"),
        ("loadgen/engine/_engine.pyi", "from loadgen.worker.main import main", "may not import worker"),
        ("loadgen/engine/_engine.pyx", "from loadgen.plan import Plan", "may not import plan"),
        ("loadgen/engine/_pipeline.pyx", "from loadgen.engine._clock cimport now_ns", "may not import engine._clock"),
        ("loadgen/engine/_pipeline.pyx", "    import time", "may not read a clock"),
        ("loadgen/client/_breaker.pyx", "from time import monotonic_ns", "may not read a clock"),
        ("loadgen/client/_core.pyx", "import asyncio", "may not use asyncio"),
        ("loadgen/engine/_recorder.pyx", "from posix.time cimport clock_gettime", "may not read a clock"),
        ("loadgen/engine/_schedule.pyx", 'cdef extern from "time.h" nogil:', "may not use time.h"),
        (
            "loadgen/engine/_keys.pxd",
            'cdef extern from *:\n    """\n    #include <time.h>\n    """',
            "may not use time.h",
        ),
        ("loadgen/engine/_pipeline.pyx", 'cdef extern from "<sys/socket.h>":', "may not use sys/socket.h"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str, complaint: str) -> None:
    assert any(complaint in wrong for wrong in violations(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "loadgen/runner/crew.py",
            "from loadgen.worker.main import main\nfrom loadgen.plan import Plan\nimport json",
        ),
        ("loadgen/server/builtin.py", "import uvloop\nfrom loadgen.server._server import Server"),
        ("loadgen/cli/main.py", "from loadgen.version import __version__\nfrom loadgen.cli import session"),
        ("loadgen/engine/_engine.pyx", "from loadgen.engine._time cimport Time\nfrom libc.stdint cimport int64_t"),
        ("loadgen/engine/_engine.pyi", "from loadgen.plan import Plan"),
        ("loadgen/_codec.pyx", '"""Text may say:\nimport time\n"""\n# from loadgen import errors'),
    ],
)
def test_an_allowed_import_is_left_alone(path: str, source: str) -> None:
    assert violations(path, source) == []
