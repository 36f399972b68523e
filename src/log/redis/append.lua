-- Appends a batch to one shard in one step: offsets, sequences, streams, the recent entries, and one message to all
-- nodes. Everything is checked before the first write.
--
-- KEYS  1 meta, 2 epochs, 3 channel, 4 seq, 5 recent, 6 marks, 7 answers of the calling node
--       then for each item: its topic's stream, its idempotency key (the meta key again where it has none)
-- ARGV  1 candidate epoch, 2 shards of the log, 3 the node's number of this batch, 4 most topics, 5 milliseconds that
--       recent entries are kept, 6 seconds that an idempotency key is kept, 7 answers kept per node
--       then for each item: topic, topic as JSON, payload, '1' where it replaces the state, most messages, and its
--       retention in milliseconds; '0' where the topic's last message is kept
-- Answers {'answers', text} with a text of [[sequence,offset],…], 0 in place of one topic too many; or {'shards', n}
local meta, epochs, channel, seq, recent, marks, answers = unpack(KEYS, 1, 7)
local KEY_BASE, KEYS_EACH, ARG_BASE, ARGS_EACH = 8, 2, 8, 6

local shards = redis.call('HGET', meta, 'shards')
if shards and shards ~= ARGV[2] then return { 'shards', shards } end

local epoch, start, offset = enter(meta, epochs, channel, ARGV[1], ARGV[2])

local answered = redis.call('HGET', answers, ARGV[3])
if answered then return { 'answers', answered } end

local clock = redis.call('TIME')
local stored = redis.call('HMGET', meta, 'time', 'marked', 'oldest')
-- Time in the log never goes back, whatever the clock does.
local time = math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(stored[1] or 0))

-- One mark a second says which offset an age stands for.
local oldest = stored[3] or '0'
if time - tonumber(stored[2] or 0) >= 1000 then
  redis.call('ZADD', marks, string.format('%d', time), string.format('%d', offset))
  redis.call('ZREMRANGEBYSCORE', marks, '-inf', string.format('(%d', time - 2 * ARGV[5]))
  oldest = redis.call('ZRANGE', marks, string.format('%d', time - ARGV[5]), '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1)[1] or oldest
  redis.call('HSET', meta, 'marked', string.format('%d', time), 'oldest', oldest)
end

local function trim (stream, age)
  local old
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 64)) do
    if tonumber(entry[2][4]) > time - age then break end
    old = entry[1]
  end
  if old then
    local before = old:match('^%d+')
    redis.call('XTRIM', stream, 'MINID', string.format('%d', before + 1))
  end
end

local first = offset + 1
local results, heads, payloads = {}, {}, {}
local positions, keyed = {}, {}
local topics
for item = 0, (#KEYS - KEY_BASE + 1) / KEYS_EACH - 1 do
  local stream, key = KEYS[KEY_BASE + item * KEYS_EACH], KEYS[KEY_BASE + item * KEYS_EACH + 1]
  local at = ARG_BASE + item * ARGS_EACH
  local topic, name, payload, replaces, messages, age = unpack(ARGV, at, at + ARGS_EACH - 1)
  local before = key ~= meta and (keyed[key] or redis.call('GET', key))
  local position = positions[topic] or redis.call('HGET', seq, topic)
  if not position and not topics then topics = redis.call('HLEN', seq) end
  if before then
    results[#results + 1] = before
  elseif not position and topics >= tonumber(ARGV[4]) then
    results[#results + 1] = '0'
  else
    local sequence, previous = 0, 0
    if position then
      sequence, previous = position:match('^(%d+):(%d+)$')
    else
      topics = topics + 1
    end
    sequence, previous = sequence + 1, tonumber(previous)
    offset = offset + 1
    positions[topic] = string.format('%d:%d', sequence, offset)
    redis.call('HSET', seq, topic, positions[topic])
    redis.call('XADD', stream, 'MAXLEN', '~', messages, string.format('%d-%d', offset, sequence),
      'p', string.format('%d', previous), 't', string.format('%d', time), 'r', replaces, 'd', payload)
    -- Now and then what is too old goes; a stream that is idle for so long goes as a whole.
    if sequence % 16 == 0 then trim(stream, math.abs(age)) end
    if tonumber(age) > 0 then redis.call('PEXPIRE', stream, age) end
    heads[#heads + 1] = string.format('[%s,%d,%d,%s]', name, sequence, previous, replaces)
    payloads[#payloads + 1] = payload
    local result = string.format('[%d,%d]', sequence, offset)
    results[#results + 1] = result
    if key ~= meta then
      redis.call('SET', key, result, 'EX', ARGV[6])
      keyed[key] = result
    end
  end
end

local text = '[' .. table.concat(results, ',') .. ']'
redis.call('HSET', answers, ARGV[3], text)
redis.call('HDEL', answers, string.format('%d', ARGV[3] - ARGV[7]))
redis.call('EXPIRE', answers, 3600)
if #heads > 0 then
  redis.call('HSET', meta, 'offset', string.format('%d', offset), 'time', string.format('%d', time))
  -- As nodes hear it: a line of JSON, then a payload a line; JSON text of one value holds no line break.
  local batch = string.format('[%d,%d,%d,%d,[%s]]\n', epoch, start, first, time, table.concat(heads, ',')) .. table.concat(payloads, '\n')
  redis.call('XADD', recent, 'MINID', '~', oldest, string.format('%d-0', offset), 'b', batch)
  redis.call('SPUBLISH', channel, batch)
end
return { 'answers', text }
