-- Makes a shard look as it does after a restart that lost its last writes: everything beyond an offset is
-- gone, and another process answers than the one that wrote last. For tests only.
--
-- KEYS  1 meta, 2 seq, 3 recent
-- ARGV  1 the prefix of the shard's keys, 2 the last offset to keep
local tag, keep = ARGV[1], tonumber(ARGV[2])
local positions = redis.call('HGETALL', KEYS[2])
for i = 1, #positions, 2 do
  local topic, offset = positions[i], tonumber(positions[i + 1]:match(',(%d+)'))
  local stream = tag .. 't:' .. topic
  if offset > keep then
    local first
    for _, entry in ipairs(redis.call('XRANGE', stream, string.format('%d', keep + 1), '+')) do
      first = first or entry
      redis.call('XDEL', stream, entry[1])
    end
    local sequence = tonumber(first[1]:match('%-(%d+)$')) - 1
    if redis.call('XLEN', stream) == 0 then
      redis.call('DEL', stream)
    else
      redis.call('XSETID', stream, redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1][1])
    end
    if sequence == 0 then redis.call('HDEL', KEYS[2], topic)
    else redis.call('HSET', KEYS[2], topic, string.format('%d,%s', sequence, first[2][2]:match('^%d+'))) end
  end
  -- Finds the newest remaining origin of each processor: the stream has the origin of each message.
  for _, origins in ipairs(redis.call('KEYS', tag .. 'origins:*')) do
    local kept = redis.call('HGET', origins, topic)
    if kept and tonumber(kept:match('^%d+:(%d+)')) > keep then
      redis.call('HDEL', origins, topic)
      for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-')) do
        if entry[2][6] then
          redis.call('HSET', origins, topic, entry[1]:gsub('^(%d+)%-(%d+)$', '%2:%1') .. ':' .. entry[2][6])
          break
        end
      end
    end
  end
  local snapshot = redis.call('HGET', tag .. 'snap:' .. topic, 'offset')
  if snapshot and tonumber(snapshot) > keep then redis.call('DEL', tag .. 'snap:' .. topic) end
end
for _, key in ipairs(redis.call('KEYS', tag .. 'once:*')) do
  if tonumber(redis.call('GET', key):match(',(%d+)$')) > keep then redis.call('DEL', key) end
end
for _, key in ipairs(redis.call('KEYS', tag .. 'answers:*')) do redis.call('DEL', key) end
-- A batch is one write. If an entry of it lies beyond the offset, the whole batch goes; the streams still
-- have its first entries.
for _, batch in ipairs(redis.call('XRANGE', KEYS[3], string.format('%d', keep + 1), '+')) do
  redis.call('XDEL', KEYS[3], batch[1])
end
local left = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('XSETID', KEYS[3], left and left[1] or '0-1') end
local left_topics = 0
for _, position in ipairs(redis.call('HVALS', KEYS[2])) do
  if position:match('^%d+,%d+$') then left_topics = left_topics + 1 end
end
redis.call('HSET', KEYS[1], 'topics', left_topics)
redis.call('DEL', tag .. 'marks')
redis.call('HDEL', KEYS[1], 'marked', 'oldest')
redis.call('HSET', KEYS[1], 'offset', string.format('%d', keep), 'run', 'another')
