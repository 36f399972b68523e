-- Appends a batch to one shard in one step: offsets, sequences, streams, the recent entries, and one message to all
-- nodes. Everything is checked before the first write. A message costs one XADD; all else is done once for the batch.
--
-- KEYS  1 meta, 2 epochs, 3 channel, 4 seq, 5 recent, 6 marks, 7 answers of the calling node,
--       then the stream of each topic of the batch, then the idempotency keys of its items
-- ARGV  1 candidate epoch, 2 shards of the log, 3 the node's number of this batch for this shard, 4 most topics,
--       5 milliseconds and 6 bytes of recent entries that are kept, 7 seconds that an idempotency key is kept,
--       8 answers kept per node, 9 number of topics, 10 the items, 11 their payloads, a line each,
--       then for each topic its name and the most messages that it keeps
--       An item is the number of its topic, 'r' where it replaces the state, 'k' and the number of its idempotency key.
-- Answers {'answer', text} with a text of [first offset, [sequence before, by topic], [[item, sequence, offset], …]]: what is
--       not among the last has the next sequence and the next offset, and 0, 0 is one topic too many.
--       Or {'shards', n}, or {'type', topic}
local meta, epochs, channel, seq, recent, marks, answers = unpack(KEYS, 1, 7)
local KEY_BASE, ARG_BASE = 7, 11
local number, topics = ARGV[3], tonumber(ARGV[9])

local epoch, start, offset, made = enter(meta, epochs, channel, ARGV[1], ARGV[2])
if made ~= ARGV[2] then return { 'shards', made } end
local answered = redis.call('HGET', answers, number)
if answered then return { 'answer', answered } end

local names = {}
for topic = 1, topics do names[topic] = ARGV[ARG_BASE + 2 * topic - 1] end
local positions = redis.call('HMGET', seq, unpack(names))
local before, sequence, previous, limit, refused = {}, {}, {}, {}, {}
local known
for topic = 1, topics do
  limit[topic] = ARGV[ARG_BASE + 2 * topic]
  local position = positions[topic]
  if position then
    local last, at = position:match('^(%d+):(%d+)$')
    sequence[topic], previous[topic] = tonumber(last), at
  else
    local kind = redis.call('TYPE', KEYS[KEY_BASE + topic]).ok
    if kind ~= 'none' and kind ~= 'stream' then return { 'type', names[topic] } end
    known = known or redis.call('HLEN', seq)
    refused[topic] = known >= tonumber(ARGV[4])
    if not refused[topic] then known = known + 1 end
    sequence[topic], previous[topic] = 0, '0'
  end
  before[topic] = sequence[topic]
end

local clock = redis.call('TIME')
local stored = redis.call('HMGET', meta, 'time', 'marked', 'bytes', 'marked_bytes', 'oldest')
-- Time in the log never goes back, whatever the clock does.
local time = math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(stored[1] or 0))
local stamp = string.format(':%d', time)

local first = offset + 1
local order, kept, exceptions, once_keys = {}, {}, {}, {}
local item, written = 0, 0
local next_payload = string.gmatch(ARGV[11], '[^\n]+')
for index, flag, key in string.gmatch(ARGV[10], '(%d+)(r?)k?(%d*)') do
  local topic, payload = tonumber(index), next_payload()
  local once = key ~= '' and KEYS[KEY_BASE + topics + key]
  local earlier = once and (once_keys[once] or redis.call('GET', once))
  if earlier then
    exceptions[#exceptions + 1] = string.format('[%d,%s]', item, earlier)
  elseif refused[topic] then
    exceptions[#exceptions + 1] = string.format('[%d,0,0]', item)
  else
    local own = sequence[topic] + 1
    sequence[topic] = own
    offset = offset + 1
    local at = string.format('%d', offset)
    redis.call('XADD', KEYS[KEY_BASE + topic], 'MAXLEN', '~', limit[topic], string.format('%s-%d', at, own),
      'p', previous[topic] .. stamp .. flag, 'd', payload)
    previous[topic] = at
    written = written + 1
    order[written] = flag == '' and index or '-' .. index
    kept[written] = payload
    if once then
      once_keys[once] = string.format('%d,%s', own, at)
      redis.call('SET', once, once_keys[once], 'EX', ARGV[7])
    end
  end
  item = item + 1
end

local text = string.format('[%d,[%s],[%s]]', first, table.concat(before, ','), table.concat(exceptions, ','))
redis.call('HSET', answers, number, text)
redis.call('HDEL', answers, string.format('%d', number - ARGV[8]))
redis.call('EXPIRE', answers, 3600)
if written == 0 then return { 'answer', text } end

local heads, moved = {}, {}
for topic = 1, topics do
  local position = positions[topic]
  heads[topic] = string.format('[%s,%d,%s]', cjson.encode(names[topic]), before[topic], position and position:match(':(%d+)$') or '0')
  if sequence[topic] > before[topic] then
    moved[#moved + 1] = names[topic]
    moved[#moved + 1] = string.format('%d:%s', sequence[topic], previous[topic])
  end
end
redis.call('HSET', seq, unpack(moved))

-- As nodes hear it: a line of JSON, then a payload a line; JSON text of one value holds no line break.
local batch = string.format('[%d,%d,%d,%d,[%s],[%s]]\n', epoch, start, first, time, table.concat(heads, ','), table.concat(order, ','))
  .. (#exceptions == 0 and ARGV[11] or table.concat(kept, '\n'))

-- Marks say which offset an age stands for, and which amount of bytes: one a second, or more where much is appended.
local bytes, oldest = tonumber(stored[3] or 0) + #batch, stored[5] or '0'
if time - tonumber(stored[2] or 0) >= 1000 or bytes - tonumber(stored[4] or 0) >= ARGV[6] / 16 then
  redis.call('XADD', marks, string.format('%d-%d', time, first - 1), 'b', string.format('%d', bytes - #batch))
  local aged = redis.call('XREVRANGE', marks, string.format('%d', time - ARGV[5]), '-', 'COUNT', 1)[1]
  oldest = tonumber(aged and aged[1]:match('%-(%d+)$') or 0)
  for _, mark in ipairs(redis.call('XREVRANGE', marks, '+', '-', 'COUNT', 96)) do
    if bytes - mark[2][2] > tonumber(ARGV[6]) then
      oldest = math.max(oldest, tonumber(mark[1]:match('%-(%d+)$')))
      break
    end
  end
  oldest = string.format('%d', oldest)
  redis.call('HSET', meta, 'marked', string.format('%d', time), 'marked_bytes', string.format('%d', bytes), 'oldest', oldest)
end
redis.call('HSET', meta, 'offset', string.format('%d', offset), 'time', string.format('%d', time), 'bytes', string.format('%d', bytes))
redis.call('XADD', recent, 'MINID', '~', string.format('%d', oldest + 1), string.format('%d-0', offset), 'b', batch)
redis.call('SPUBLISH', channel, batch)
return { 'answer', text }
