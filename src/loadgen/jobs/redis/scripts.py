"""The Lua scripts of the queues on Redis: every change of a queue is one step of the server. Texts; no I/O.

A script is made of three parts: functions that say how jobs wait and who has them, which differ between a stream and
lists; functions over a job's hash, which do not; and the operation. `KEYS[1]` is the prefix of all keys of the queue:

    queue             stream or list of the PENDING jobs; the stream has the RUNNING ones, too
    taken:WORKER      list of the jobs that a worker has taken (lists only)
    job:ID            hash of a job: n name, p payload, t terms, s state, m token, a failed attempts, d deliveries since
                      the last settlement, f fence, w worker, c when it was claimed, r when its lease was renewed (lists
                      only), b when it was published, v value, e error. Times are Unix times in ms.
    key:KEY           the id of the job that was published with an idempotency key
    delayed           sorted set of the DELAYED jobs, by their due time
    running           sorted set of the RUNNING jobs, by the time when they were claimed
    success, dead, cancelled    sorted sets of the jobs that ended so, by the time when they did
    workers           sorted set of workers, by the time when they were last heard of
    schedules         hash of schedules by name

Times are the server's, so that the clocks of workers need not agree. Redis at its maxmemory refuses a script whose
first change is one that may take memory. Such are only those that add to the queue: a full queue can be worked off.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1

_STREAM = """
local Q, G = P .. 'queue', 'workers'
local function put(id) return redis.call('XADD', Q, '*', 'id', id) end
local function drop(token, id, owner)
  if token then
    redis.call('XACK', Q, G, token)
    redis.call('XDEL', Q, token)
  end
end
local function holds(worker, id) return true end
local function hand_over(id, owner, worker) end
local function touch(worker, token, id)
  return #redis.call('XCLAIM', Q, G, worker, 0, token, 'JUSTID') == 1
end
local function in_group(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'NOGROUP', 1, true) then redis.call('XGROUP', 'CREATE', Q, G, '0', 'MKSTREAM') end
    reply = redis.call(...)
  end
  return reply
end
local function read(worker, most)
  local reply = in_group('XREADGROUP', 'GROUP', G, worker, 'COUNT', most, 'STREAMS', Q, '>')
  if not reply then return {} end
  local found = {}
  for i, entry in ipairs(reply[1][2]) do found[i] = {entry[1], entry[2][2]} end
  return found
end
local function expired(worker, lease, cursor)
  local reply = in_group('XAUTOCLAIM', Q, G, worker, lease, cursor, 'COUNT', 100)
  local found = {}
  for _, entry in ipairs(reply[2]) do
    if entry and entry[2] then found[#found + 1] = {entry[1], entry[2][2], worker} end
  end
  return reply[1], found
end
local function forget(worker)
  local pending = in_group('XPENDING', Q, G, '-', '+', 1, worker)
  if #pending > 0 then return false end
  redis.call('XGROUP', 'DELCONSUMER', Q, G, worker)
  return true
end
"""

_LISTS = """
local Q = P .. 'queue'
local function taken(worker) return P .. 'taken:' .. worker end
local function put(id)
  redis.call('LPUSH', Q, id)
  return ''
end
local function drop(token, id, owner)
  redis.call('LREM', owner and taken(owner) or Q, owner and 1 or -1, id)
end
local function holds(worker, id) return redis.call('LPOS', taken(worker), id) end
local function hand_over(id, owner, worker)
  redis.call('LREM', taken(owner), 1, id)
  redis.call('LPUSH', taken(worker), id)
end
local function touch(worker, token, id)
  redis.call('HDEL', P .. 'job:' .. id, 'r')
  redis.call('HSET', P .. 'job:' .. id, 'r', now)
  return true
end
local function read(worker, most)
  local found = {}
  for i = 1, most do
    -- A full server refuses LMOVE, but no step whose first command takes something away.
    local id = redis.call('RPOP', Q)
    if not id then break end
    redis.call('LPUSH', taken(worker), id)
    found[i] = {'', id}
  end
  return found
end
local function expired(worker, lease, cursor)
  local found = {}
  for _, owner in ipairs(redis.call('ZRANGE', P .. 'workers', 0, -1)) do
    local ids = redis.call('LRANGE', taken(owner), 0, -1)
    for i = #ids, 1, -1 do
      local h = redis.call('HMGET', P .. 'job:' .. ids[i], 's', 'c', 'r')
      if h[1] == 'pending' and not h[3] then
        -- A move that waited has brought the job, and nobody has begun its lease: it begins now.
        touch(owner, '', ids[i])
      elseif math.max(h[2] or 0, h[3] or 0) <= now - lease then
        found[#found + 1] = {'', ids[i], owner}
        if #found == 1000 then return '0-1', found end
      end
    end
  end
  return '0-0', found
end
local function forget(worker) return redis.call('LLEN', taken(worker)) == 0 end
"""

_START = """
local P = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

_JOBS = """
local function job(id) return P .. 'job:' .. id end

-- Where Redis has no memory for it, a worker is not noted.
local function heard(worker) redis.pcall('ZADD', P .. 'workers', now, worker) end

local function publish(id, name, payload, terms, due, key, key_ms)
  if key ~= '' then
    local earlier = redis.call('GET', P .. 'key:' .. key)
    if earlier then return {earlier, 1} end
  end
  if redis.call('EXISTS', job(id)) == 1 then return {id, 1} end
  local state, token = 'pending', ''
  if tonumber(due) > now then
    state = 'delayed'
    redis.call('ZADD', P .. 'delayed', due, id)
  else
    token = put(id)
  end
  redis.call('HSET', job(id), 's', state, 'm', token, 'n', name, 'p', payload, 't', terms, 'b', now)
  if key ~= '' then redis.call('SET', P .. 'key:' .. key, id, 'PX', key_ms) end
  return {id, 0}
end

local function promote()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'delayed', '-inf', now, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', P .. 'delayed', id)
    redis.call('HSET', job(id), 's', 'pending', 'm', put(id))
  end
  local first = redis.call('ZRANGE', P .. 'delayed', 0, 0, 'WITHSCORES')
  if not first[2] then return -1 end
  return math.max(first[2] - now, 0)
end

-- Begin a claim of a job that is PENDING, or RUNNING where that is allowed. Without one, return nil and the state.
local function begin(id, token, worker, is_running_allowed)
  local h = redis.call('HMGET', job(id), 's', 'm', 'n', 'p', 't', 'a', 'd', 'f')
  if h[2] ~= token or not (h[1] == 'pending' or (h[1] == 'running' and is_running_allowed)) then return nil, h[1] end
  local delivery, fence = (h[7] or 0) + 1, (h[8] or 0) + 1
  redis.call('HSET', job(id), 's', 'running', 'w', worker, 'c', now, 'd', delivery, 'f', fence)
  redis.call('ZADD', P .. 'running', now, id)
  return {token, id, h[3], h[4], h[5], tonumber(h[6] or 0), delivery, fence}
end

local function finish(id, state, keep_ms, ...)
  redis.call('HSET', job(id), 's', state, ...)
  redis.call('HDEL', job(id), 'p', 't', 'm', 'w', 'c', 'd', 'r')
  redis.call('PEXPIRE', job(id), keep_ms)
  redis.call('ZADD', P .. state, now, id)
end

local function prune(keep_ms)
  for _, state in ipairs({'success', 'cancelled'}) do
    redis.call('ZREMRANGEBYSCORE', P .. state, '-inf', now - keep_ms)
    redis.call('PEXPIRE', P .. state, keep_ms)
  end
end

local function die(id, failed, text, fence)
  redis.call('HSET', job(id), 's', 'dead', 'a', failed, 'e', text, 'f', fence)
  redis.call('HDEL', job(id), 'm', 'w', 'c', 'd', 'r')
  redis.call('ZADD', P .. 'dead', now, id)
end
"""

_OPERATIONS = {
    "publish": """
local replies = {}
for i = 2, #ARGV, 6 do
  replies[#replies + 1] =
    publish(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[1])
end
return replies
""",
    "claim": """
local worker, most, claims = ARGV[1], tonumber(ARGV[2]), {}
-- What a read that waited has brought: a job in it may have been cancelled since, or be another worker's.
for i = 3, #ARGV, 2 do
  local token, id = ARGV[i], ARGV[i + 1]
  if holds(worker, id) then
    local claim, state = begin(id, token, worker, false)
    if claim then
      claims[#claims + 1] = claim
    elseif state ~= 'running' then
      drop(token, id, worker)
    end
  end
end
local due = promote()
if worker == '' then return {due, claims} end
if most > #claims then
  for _, found in ipairs(read(worker, most - #claims)) do
    -- A RUNNING job is read again after its group was lost.
    local claim = begin(found[2], found[1], worker, true)
    if claim then
      claims[#claims + 1] = claim
    else
      drop(found[1], found[2], worker)
    end
  end
end
heard(worker)
return {due, claims}
""",
    "renew": """
local worker, replies = ARGV[1], {}
for i = 2, #ARGV, 3 do
  local h = redis.call('HMGET', job(ARGV[i]), 's', 'f')
  local mine = h[1] == 'running' and h[2] == ARGV[i + 2] and touch(worker, ARGV[i + 1], ARGV[i])
  replies[#replies + 1] = mine and 1 or 0
end
heard(worker)
return replies
""",
    "settle": """
local worker, keep_ms, replies = ARGV[1], tonumber(ARGV[2]), {}
for i = 3, #ARGV, 6 do
  local id, token, fence, kind, text = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local h = redis.call('HMGET', job(id), 's', 'f', 'a', 'w')
  local taken = h[2] == fence
  -- With this fence and not RUNNING, the job was settled by an earlier call with this settlement.
  if taken and h[1] == 'running' then
    local attempts = (h[3] or 0) + 1
    drop(token, id, h[4])
    redis.call('ZREM', P .. 'running', id)
    if kind == 'success' then
      finish(id, 'success', keep_ms, 'a', attempts, 'v', text)
    elseif kind == 'again' then
      local wait = tonumber(ARGV[i + 5])
      local state, again = 'delayed', ''
      if wait > 0 then redis.call('ZADD', P .. 'delayed', now + wait, id) else state, again = 'pending', put(id) end
      redis.call('HSET', job(id), 's', state, 'm', again, 'a', attempts, 'e', text)
      redis.call('HDEL', job(id), 'w', 'c', 'd', 'r')
    else
      die(id, attempts, text, fence)
    end
  end
  replies[#replies + 1] = taken and 1 or 0
end
prune(keep_ms)
heard(worker)
return replies
""",
    "sweep": """
local worker, most, lease, most_deliveries = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local cursor, forget_ms, keep_ms = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local claims, reclaimed, dead = {}, {}, {}
heard(worker)
local after, jobs = expired(worker, lease, cursor)
for _, each in ipairs(jobs) do
  local token, id, owner = each[1], each[2], each[3]
  local h = redis.call('HMGET', job(id), 's', 'm', 'a', 'd', 'f')
  local state, delivery, fence = h[1], tonumber(h[4] or 0), tonumber(h[5] or 0)
  if h[2] ~= token or (state ~= 'running' and state ~= 'pending') then
    drop(token, id, owner)
  elseif delivery >= most_deliveries then
    drop(token, id, owner)
    redis.call('ZREM', P .. 'running', id)
    die(id, tonumber(h[3] or 0), 'claimed ' .. delivery .. ' times without an end', fence + 1)
    dead[#dead + 1] = id
  else
    reclaimed[#reclaimed + 1] = id
    if #claims < most then
      hand_over(id, owner, worker)
      claims[#claims + 1] = begin(id, token, worker, true)
    else
      -- The fence is a new one, as the worker whose lease is over may still say something of the job.
      drop(token, id, owner)
      redis.call('ZREM', P .. 'running', id)
      redis.call('HSET', job(id), 's', 'pending', 'm', put(id), 'f', fence + 1)
      redis.call('HDEL', job(id), 'w', 'c', 'r')
    end
  end
end
if after == '0-0' then
  for _, silent in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - forget_ms, 'LIMIT', 0, 100)) do
    if forget(silent) then redis.call('ZREM', P .. 'workers', silent) end
  end
  prune(keep_ms)
end
return {promote(), after, claims, reclaimed, dead}
""",
    "cancel": """
local id, keep_ms = ARGV[1], tonumber(ARGV[2])
local h = redis.call('HMGET', job(id), 's', 'm')
if h[1] == 'delayed' then
  redis.call('ZREM', P .. 'delayed', id)
elseif h[1] == 'pending' then
  drop(h[2], id, nil)
else
  return 0
end
finish(id, 'cancelled', keep_ms)
prune(keep_ms)
return 1
""",
    "retry": """
local id = ARGV[1]
if redis.call('HGET', job(id), 's') ~= 'dead' then return 0 end
redis.call('HSET', job(id), 's', 'pending', 'm', put(id))
redis.call('HDEL', job(id), 'a')
redis.call('ZREM', P .. 'dead', id)
return 1
""",
    "change": """
if redis.call('HEXISTS', P .. 'schedules', ARGV[1]) == 0 then return 0 end
redis.call('HSET', P .. 'schedules', ARGV[1], ARGV[2])
return 1
""",
    "fire": """
if redis.call('HGET', P .. 'schedules', ARGV[1]) ~= ARGV[2] then return 0 end
publish(ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[4])
redis.call('HSET', P .. 'schedules', ARGV[1], ARGV[3])
return 1
""",
}


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the name by which Redis knows it."""

    operation: str
    text: bytes
    sha1: bytes


def _scripts(structure: str) -> dict[str, Script]:
    made = {}
    for operation, text in _OPERATIONS.items():
        data = (_START + structure + _JOBS + text).encode()
        made[operation] = Script(operation, data, sha1(data, usedforsecurity=False).hexdigest().encode())
    return made


STREAM = _scripts(_STREAM)
"""The scripts of the queue on a stream, by operation."""
LISTS = _scripts(_LISTS)
"""The scripts of the queue on lists, by operation."""
