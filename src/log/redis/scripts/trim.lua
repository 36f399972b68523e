-- Drops old messages of some topics, and old marks, and says what is left of the topics.
--
-- KEYS  1 meta, 2 epochs, 3 marks, 4 seq, then for each topic its stream and its snapshot
-- ARGV  1 candidate epoch, 2 shards of the log, 3 offset up to which it drops everything, whatever its age,
--       4 milliseconds to keep marks,
--       then for each topic its name, the milliseconds to keep its messages, and what it keeps in any case:
--       '' nothing, 'folded' the messages that its snapshot does not include yet, 'unless-removed' the last
--       message if it does not remove the topic, or an offset from which it keeps all
-- Answers for each topic {bytes of its stream, its first offset}, or {0, 0} if nothing is left
enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
local time = log_time(KEYS[1])
redis.call('XTRIM', KEYS[3], 'MINID', '~', string.format('%d', math.max(0, time - ARGV[4])))

local aged = {}
local function up_to (age)
  if not aged[age] then
    local from = string.format('%d', math.max(0, time - age))
    local mark = redis.call('XREVRANGE', KEYS[3], from, '-', 'COUNT', 1)[1]
    aged[age] = tonumber(mark and mark[1]:match('%-(%d+)$') or 0)
  end
  return aged[age]
end

local answers = {}
for topic = 0, (#KEYS - 4) / 2 - 1 do
  local stream, snapshot = KEYS[5 + 2 * topic], KEYS[6 + 2 * topic]
  local name, age, keep = ARGV[5 + 3 * topic], ARGV[6 + 3 * topic], ARGV[7 + 3 * topic]
  local from = math.max(tonumber(ARGV[3]), up_to(age)) + 1
  if keep == 'folded' then
    from = math.min(from, tonumber(redis.call('HGET', snapshot, 'offset') or 0) + 1)
  elseif keep == 'unless-removed' then
    local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
    if last and last[2][4] ~= 'null' then from = math.min(from, tonumber(last[1]:match('^%d+'))) end
  elseif keep ~= '' then
    from = math.min(from, tonumber(keep))
  end
  redis.call('XTRIM', stream, 'MINID', string.format('%d', from))
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if first then
    answers[topic + 1] = { redis.call('MEMORY', 'USAGE', stream), tonumber(first[1]:match('^%d+')) }
  else
    redis.call('DEL', stream)
    -- Only the topic's last position is left. Its mark `,-` says so, and it no longer counts as a topic with
    -- messages.
    local position = redis.call('HGET', KEYS[4], name)
    if position and position:match('^%d+,%d+$') then
      redis.call('HSET', KEYS[4], name, position .. ',-')
      if redis.call('HEXISTS', KEYS[1], 'topics') == 1 then redis.call('HINCRBY', KEYS[1], 'topics', -1) end
    end
    answers[topic + 1] = { 0, 0 }
  end
end
return answers
