-- What a topic's state follows from: what is known of it, and the messages after it.
--
-- KEYS  1 meta, 2 epochs, 3 the topic's stream, 4 its snapshot
-- ARGV  1 candidate epoch, 2 shards of the log, 3 the offset up to which the caller knows it (-1: nothing), 4 the epoch of
--       that, 5 '1' where the last message alone is the state
-- Answers {epoch, offset of the shard, snapshot as {sequence, offset, time, payload} or {}, entries}
local epoch, _, offset = enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
local answer = { string.format('%d', epoch), string.format('%d', offset), {}, {} }
if ARGV[5] == '1' then
  answer[4] = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
  return answer
end
local from = tonumber(ARGV[3])
-- What the caller folded in an earlier epoch may hold what was lost.
if from < 0 or tonumber(ARGV[4]) ~= epoch then
  local snapshot = redis.call('HMGET', KEYS[4], 'sequence', 'offset', 'time', 'payload')
  from = tonumber(snapshot[2] or 0)
  if snapshot[1] and from <= offset then answer[3] = snapshot else from = 0 end
end
answer[4] = redis.call('XRANGE', KEYS[3], string.format('%d', from + 1), '+')
return answer
