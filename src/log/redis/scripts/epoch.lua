-- Precedes every script. A Redis that did not write last may have lost what came after its last save, or
-- after it was cut off from its master. So it begins a new epoch after its last message, before it does
-- anything else (ADR 12, ADR 25).
--
-- The one that wrote last is a process during one time of being a master. Its replication id changes whenever
-- it was a replica in between, and then it may have less than before.

-- The channel on which the batches of a shard are published. It is no key and need not be among KEYS.
local function channel_of (meta) return meta:sub(1, -5) .. 'live' end

-- The layout of the keys, the same as LAYOUT in setup.ts. A server does not open a log of another layout.
local LAYOUT = '2'

local function begin_epoch (meta, epochs, candidate, offset, shards, run)
  local start = string.format('%d', offset + 1)
  redis.call('HSET', meta, 'run', run, 'epoch', candidate, 'start', start,
    'offset', string.format('%d', offset), 'shards', shards, 'layout', LAYOUT)
  redis.call('RPUSH', epochs, candidate .. ':' .. start)
  redis.call('LTRIM', epochs, -32, -1)
  redis.call('SPUBLISH', channel_of(meta), string.format('[%s,%s,%s,0,[],[],""]\n', candidate, start, start))
end

-- Returns the shard's position, and begins a new epoch if it must.
-- @param candidate the new epoch, if one begins: the caller's 32 random bits
-- @param shards the caller's number of shards; a new log gets this number
-- @param left a set of epochs that the caller has left and never enters again; if the shard is in one of
--   them, a new epoch begins
-- @return the shard's epoch, the offset of the epoch's first message, the offset of the shard's last message,
--   the number of the log's shards
local function enter (meta, epochs, candidate, shards, left)
  local info = redis.call('INFO', 'server', 'replication')
  local run = info:match('run_id:(%x+)') .. (info:match('master_replid:(%x+)') or '')
  local known = redis.call('HMGET', meta, 'run', 'epoch', 'start', 'offset', 'shards')
  if known[1] == run and not (left and left[known[2]]) then
    return tonumber(known[2]), tonumber(known[3]), tonumber(known[4]), known[5]
  end
  local offset, made = tonumber(known[4] or 0), known[5] or shards
  begin_epoch(meta, epochs, candidate, offset, made, run)
  return tonumber(candidate), offset + 1, offset, made
end

-- Returns the log's time in milliseconds since 1970. It measures all ages, so no node's clock matters. It
-- never goes back.
local function log_time (meta)
  local clock = redis.call('TIME')
  local last = tonumber(redis.call('HGET', meta, 'time') or 0)
  return math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), last)
end
