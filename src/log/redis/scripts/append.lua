-- Appends a batch to one shard in one step: offsets, sequences, streams, recent entries, and one message to
-- all nodes. It checks everything before its first write. Each message costs one XADD; all else is done once
-- for the batch, and the script passes on texts that the caller has made as they are.
--
-- KEYS  1 meta, 2 epochs, 3 seq, 4 recent, 5 marks, 6 answers of the calling node, 7 newest origins of the
--       processor, then the stream of each topic of the batch, then the idempotency keys of its items
-- ARGV  1 candidate epoch, 2 shards of the log, 3 the node's number of this batch for this shard,
--       4 most topics that may have messages,
--       5 milliseconds and 6 bytes of recent entries to keep,
--       7 answers to keep per node, 8 the names of the topics as JSON,
--       9 the items, 10 their payloads, one a line,
--       11 the field and 12 the text of the fence that the items come under, both empty if there is none,
--       13 the origins of the items, one a line: `epoch:offset:part:processor:input topic`,
--       14 the epochs of the inputs' shard, oldest first, each between commas;
--       13 and 14 are empty if no item has an origin,
--       15 the epoch that the shard must be in, or empty, 16 most topics that may ever have had a message,
--       17 the number of the batch that this one follows if that one has no answer yet, or empty,
--       then for each topic its name, the most messages that it keeps, and the seconds for which it keeps an
--       idempotency key
--       An item is the number of its topic, 'r' if it replaces the state, 'k' and the number of its
--       idempotency key if it has one, 'o' if it has an origin, and a comma.
-- Answers {'answer', text}. The text is JSON: [first offset, [sequence and offset of each topic before],
--       [[item, sequence, offset], …]]. An item that is not in the last list has the next sequence and the
--       next offset. In that list 0, 0 means that the item would be one topic too many.
--       Or {'shards', n}, {'type', topic}, {'stale', the shard's fence}, {'epoch', the shard's epoch},
--       or {'early'}
local KEY_BASE, ARG_BASE = 7, 17
local keys, argv, call, format = KEYS, ARGV, redis.call, string.format
local meta, epochs, seq, recent, marks, answers, origins = unpack(keys, 1, KEY_BASE)
local number = argv[3]

local epoch, start, offset, made = enter(meta, epochs, argv[1], argv[2])
if made ~= argv[2] then return { 'shards', made } end
local answered = call('HGET', answers, number)
if answered then return { 'answer', answered } end
-- The batch before was refused or lost on its way. The node sends it again, and this one after it.
if argv[17] ~= '' and call('HEXISTS', answers, argv[17]) == 0 then return { 'early' } end

if argv[15] ~= '' and tonumber(argv[15]) ~= epoch then return { 'epoch', format('%d', epoch) } end

local fence, own = argv[11], argv[12]
local heals = false
if fence ~= '' then
  local standing = call('HGET', meta, fence)
  if standing ~= own then
    if standing and tonumber(standing:match('^%d+')) >= tonumber(own:match('^%d+')) then
      return { 'stale', standing }
    end
    -- The fence is higher than what the shard has: a failover has lost it here.
    heals = true
  end
end

local names, limits, key_seconds = {}, {}, {}
for at = ARG_BASE + 1, #argv, 3 do
  names[#names + 1] = argv[at]
  limits[#limits + 1] = argv[at + 1]
  key_seconds[#key_seconds + 1] = argv[at + 2]
end
local topics = #names
local positions = call('HMGET', seq, unpack(names))
local stored = call('HMGET', meta, 'marked', 'bytes', 'marked_bytes', 'oldest', 'topics')
local sequences, previous, refused = {}, {}, {}
-- Topics that have no messages now. If the batch gives one a message, it counts as a topic with messages
-- again.
local woken, retained, known = {}, nil, nil
for topic = 1, topics do
  local position = positions[topic]
  local sequence, at, dormant = '0', '0', ',-'
  if position then sequence, at, dormant = position:match('^(%d+),(%d+)(.*)$') end
  if dormant ~= '' then
    local kind = call('TYPE', keys[KEY_BASE + topic]).ok
    if kind ~= 'none' and kind ~= 'stream' then return { 'type', names[topic] } end
    known = known or call('HLEN', seq)
    retained = retained or tonumber(stored[5] or known)
    if retained >= tonumber(argv[4]) or (not position and known >= tonumber(argv[16])) then
      refused[topic] = true
    else
      retained = retained + 1
      if not position then known = known + 1 end
      woken[topic] = true
    end
    positions[topic] = sequence .. ',' .. at
  end
  sequences[topic], previous[topic] = tonumber(sequence), at
end
local before = table.concat(positions, ',')

-- The newest origin of each topic, if items have any: {rank of its epoch, offset, part, 'sequence,offset' of
-- its message}
local newest, moved_origins, next_origin = {}, {}, nil
local function rank_of (epoch_text) return argv[14]:find(',' .. epoch_text .. ',', 1, true) end
if argv[13] ~= '' then
  next_origin = string.gmatch(argv[13], '((%d+):(%d+):(%d+):[^\n]*)\n')
  for topic, text in ipairs(call('HMGET', origins, unpack(names))) do
    if text then
      local place, e, o, p = text:match('^(%d+:%d+):(%d+):(%d+):(%d+):')
      newest[topic] = { rank_of(e), tonumber(o), tonumber(p), (place:gsub(':', ',')) }
    end
  end
end

-- Whether an origin is newer than the kept one: the same rule as isNewer in origin-order.ts
local function is_newer (kept, rank, o, p)
  if not kept or not kept[1] then return true end
  if rank ~= kept[1] then return rank > kept[1] end
  if o ~= kept[2] then return o > kept[2] end
  return p > kept[3]
end

local time = log_time(meta)
local stamp = format(':%d', time)

local first = offset + 1
local exceptions, excepted, once_keys, appended, item = {}, {}, {}, {}, 0
local next_payload = string.gmatch(argv[10], '[^\n]+')
for index, flag, key, from in string.gmatch(argv[9], '(%d+)(r?)k?(%d*)(o?),') do
  local topic, payload = tonumber(index), next_payload()
  local once, earlier
  if key ~= '' then
    once = keys[KEY_BASE + topics + key]
    earlier = once_keys[once] or call('GET', once)
  end
  local origin, e, o, p
  if from == 'o' then
    origin, e, o, p = next_origin()
    e, o, p = rank_of(e), tonumber(o), tonumber(p)
    if not earlier and not is_newer(newest[topic], e, o, p) then earlier = newest[topic][4] end
  end
  if earlier or refused[topic] then
    exceptions[#exceptions + 1] = format('[%d,%s]', item, earlier or '0,0')
    excepted[item] = true
  else
    local sequence = sequences[topic] + 1
    offset = offset + 1
    local at = format('%d', offset)
    local key_of, id, place = keys[KEY_BASE + topic], at .. '-' .. sequence, previous[topic] .. stamp .. flag
    if origin then
      call('XADD', key_of, 'MAXLEN', '~', limits[topic], id, 'p', place, 'd', payload, 'o', origin)
      newest[topic] = { e, o, p, sequence .. ',' .. at }
      moved_origins[names[topic]] = sequence .. ':' .. at .. ':' .. origin
    else
      call('XADD', key_of, 'MAXLEN', '~', limits[topic], id, 'p', place, 'd', payload)
    end
    sequences[topic], previous[topic], appended[topic] = sequence, at, true
    if once then
      once_keys[once] = sequence .. ',' .. at
      call('SET', once, once_keys[once], 'EX', key_seconds[topic])
    end
  end
  item = item + 1
end

if heals then call('HSET', meta, fence, own) end
local text = format('[%d,[%s],[%s]]', first, before, table.concat(exceptions, ','))
call('HSET', answers, number, text)
call('HDEL', answers, format('%d', number - argv[7]))
call('EXPIRE', answers, 3600)
if offset < first then return { 'answer', text } end

local moved, began = {}, 0
for topic = 1, topics do
  if appended[topic] then
    if woken[topic] then began = began + 1 end
    moved[#moved + 1] = names[topic]
    moved[#moved + 1] = sequences[topic] .. ',' .. previous[topic]
  end
end
call('HSET', seq, unpack(moved))
if began > 0 then
  local before_batch = tonumber(stored[5] or call('HLEN', seq) - began)
  call('HSET', meta, 'topics', format('%d', before_batch + began))
end
for name, origin in pairs(moved_origins) do call('HSET', origins, name, origin) end

local items, payloads = argv[9], argv[10]
if #exceptions > 0 then
  local kept_items, kept_payloads, at = {}, {}, 0
  next_payload = string.gmatch(payloads, '[^\n]+')
  for described in string.gmatch(items, '[^,]+') do
    local payload = next_payload()
    if not excepted[at] then
      kept_items[#kept_items + 1] = described
      kept_payloads[#kept_payloads + 1] = payload
    end
    at = at + 1
  end
  items, payloads = table.concat(kept_items, ',') .. ',', table.concat(kept_payloads, '\n') .. '\n'
end
-- The form in which nodes get a batch: a line of JSON, then one payload a line. JSON text of one value has no
-- line break.
local header = format('[%d,%d,%d,%d,%s,[%s],"%s"]\n', epoch, start, first, time, argv[8], before, items)
local batch = header .. payloads

-- A mark says which offset, and how many bytes, belong to a time. One is made each second, or earlier if much
-- is appended.
local bytes, oldest = tonumber(stored[2] or 0) + #batch, stored[4] or '0'
if time - tonumber(stored[1] or 0) >= 1000 or bytes - tonumber(stored[3] or 0) >= argv[6] / 16 then
  call('XADD', marks, format('%d-%d', time, first - 1), 'b', format('%d', bytes - #batch))
  local aged = call('XREVRANGE', marks, format('%d', time - argv[5]), '-', 'COUNT', 1)[1]
  oldest = tonumber(aged and aged[1]:match('%-(%d+)$') or 0)
  for _, mark in ipairs(call('XREVRANGE', marks, '+', '-', 'COUNT', 96)) do
    if bytes - mark[2][2] > tonumber(argv[6]) then
      oldest = math.max(oldest, tonumber(mark[1]:match('%-(%d+)$')))
      break
    end
  end
  oldest = format('%d', oldest)
  call('HSET', meta, 'marked', format('%d', time), 'marked_bytes', format('%d', bytes), 'oldest', oldest)
end
call('HSET', meta, 'offset', format('%d', offset), 'time', format('%d', time), 'bytes', format('%d', bytes))
call('XADD', recent, 'MINID', '~', format('%d', oldest + 1), format('%d-0', offset), 'b', batch)
call('SPUBLISH', channel_of(meta), batch)
return { 'answer', text }
