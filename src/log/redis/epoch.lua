-- In front of every script. A Redis process that did not write last may have lost what came after its last save: a new
-- epoch begins behind what it has, before anything else (DESIGN, Epochs).
--
-- @param candidate the new epoch, should one begin: 32 random bits of the caller's
-- @param shards of the caller; a log that is made now is made with so many
-- @return the shard's epoch, the offset of its first message, the offset of its last message, the log's shards
local function enter (meta, epochs, channel, candidate, shards)
  local run = redis.call('INFO', 'server'):match('run_id:(%x+)')
  local known = redis.call('HMGET', meta, 'run', 'epoch', 'start', 'offset', 'shards')
  if known[1] == run then
    return tonumber(known[2]), tonumber(known[3]), tonumber(known[4]), known[5]
  end
  local offset = tonumber(known[4] or 0)
  local start = offset + 1
  local made = known[5] or shards
  redis.call('HSET', meta, 'run', run, 'epoch', candidate, 'start', string.format('%d', start), 'offset', string.format('%d', offset), 'shards', made)
  redis.call('RPUSH', epochs, string.format('%s:%d', candidate, start))
  redis.call('LTRIM', epochs, -32, -1)
  redis.call('SPUBLISH', channel, string.format('[%s,%d,%d,0,[],[],""]\n', candidate, start, start))
  return tonumber(candidate), start, offset, made
end

