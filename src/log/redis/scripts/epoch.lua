-- In front of every script. A Redis that did not write last may have lost what came after its last save, or after it was cut
-- from its master: a new epoch begins behind what it has, before anything else (ADR 12, ADR 25).
--
-- Who wrote last is a process in one time of being a master: its replication id is another one whenever it was a replica
-- meanwhile, and then it may have less than it had.

-- The channel on which the batches of a shard are told: no key, and not among KEYS, as no key of that name is ever there.
local function channel_of (meta) return meta:sub(1, -5) .. 'live' end

-- The layout of the keys, as setup.ts has it: a log of another one is not opened.
local LAYOUT = '2'

local function begin (meta, epochs, candidate, offset, shards, run)
  local start = string.format('%d', offset + 1)
  redis.call('HSET', meta, 'run', run, 'epoch', candidate, 'start', start, 'offset', string.format('%d', offset), 'shards', shards, 'layout', LAYOUT)
  redis.call('RPUSH', epochs, candidate .. ':' .. start)
  redis.call('LTRIM', epochs, -32, -1)
  redis.call('SPUBLISH', channel_of(meta), string.format('[%s,%s,%s,0,[],[],""]\n', candidate, start, start))
end

-- @param candidate the new epoch, should one begin: 32 random bits of the caller's
-- @param shards of the caller; a log that is made now is made with so many
-- @param left where the caller is not in that epoch any more, and never will be again: the epochs that it has left
-- @return the shard's epoch, the offset of its first message, the offset of its last message, the log's shards
local function enter (meta, epochs, candidate, shards, left)
  local info = redis.call('INFO', 'server', 'replication')
  local run = info:match('run_id:(%x+)') .. (info:match('master_replid:(%x+)') or '')
  local known = redis.call('HMGET', meta, 'run', 'epoch', 'start', 'offset', 'shards')
  if known[1] == run and not (left and left[known[2]]) then
    return tonumber(known[2]), tonumber(known[3]), tonumber(known[4]), known[5]
  end
  local offset, made = tonumber(known[4] or 0), known[5] or shards
  begin(meta, epochs, candidate, offset, made, run)
  return tonumber(candidate), offset + 1, offset, made
end

-- The log's time, in milliseconds since 1970: all ages are told by it, and no node's clock has a say. It never goes back.
local function log_time (meta)
  local clock = redis.call('TIME')
  return math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(redis.call('HGET', meta, 'time') or 0))
end
