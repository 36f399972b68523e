-- In front of every script. A Redis process that did not write last may have lost what came after its last save: a new
-- epoch begins behind what it has, before anything else (DESIGN, Epochs).
--
-- @param candidate the new epoch, should one begin: 32 random bits of the caller's
-- @return the shard's epoch, the offset of its first message, the offset of its last message
local function enter (meta, epochs, channel, candidate, shards)
  local run = redis.call('INFO', 'server'):match('run_id:(%x+)')
  local known = redis.call('HMGET', meta, 'run', 'epoch', 'start', 'offset')
  if known[1] == run then
    return tonumber(known[2]), tonumber(known[3]), tonumber(known[4])
  end
  local offset = tonumber(known[4] or 0)
  local start = offset + 1
  redis.call('HSET', meta, 'run', run, 'epoch', candidate, 'start', string.format('%d', start), 'offset', string.format('%d', offset), 'shards', shards)
  redis.call('RPUSH', epochs, string.format('%s:%d', candidate, start))
  redis.call('LTRIM', epochs, -32, -1)
  redis.call('SPUBLISH', channel, string.format('[%s,%d,%d,0,[]]\n', candidate, start, start))
  return tonumber(candidate), start, offset
end

