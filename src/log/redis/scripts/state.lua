-- Reads what the states of some topics are folded from: for each a kept snapshot, and the messages after it.
--
-- KEYS  1 meta, 2 epochs, then for each topic its stream and its snapshot
-- ARGV  1 candidate epoch, 2 shards of the log, 3 bytes of payloads after which it reads no further topic,
--       then for each topic: the offset up to which the caller has folded it (-1: nothing), the epoch of
--       that, and '1' if the last message alone is the state
-- Answers {epoch, offset of the shard, answers}, with an answer for each topic or for the first of them, but
--       at least for one: {snapshot as {sequence, offset, time, payload} or {}, entries}, or an error if its
--       key holds something else
local epoch, _, offset = enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
local answers, bytes = {}, 0

local function look (stream, snap, from, known_epoch, last_only)
  if last_only then return { {}, redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1) } end
  local kept = {}
  -- A state that the caller folded in an earlier epoch may include lost messages.
  if from < 0 or known_epoch ~= epoch then
    local snapshot = redis.call('HMGET', snap, 'sequence', 'offset', 'time', 'payload')
    from = tonumber(snapshot[2] or 0)
    if snapshot[1] and from <= offset then kept = snapshot else from = 0 end
  end
  return { kept, redis.call('XRANGE', stream, string.format('%d', from + 1), '+') }
end

for topic = 0, (#KEYS - 2) / 2 - 1 do
  if bytes > tonumber(ARGV[3]) then break end
  local at = 4 + 3 * topic
  local stream, snap = KEYS[3 + 2 * topic], KEYS[4 + 2 * topic]
  local from, known_epoch, last_only = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2] == '1'
  local ok, answer = pcall(look, stream, snap, from, known_epoch, last_only)
  if ok then
    if answer[1][4] then bytes = bytes + #answer[1][4] end
    for _, entry in ipairs(answer[2]) do bytes = bytes + #entry[2][4] end
  else
    answer = { err = type(answer) == 'table' and answer.err or tostring(answer) }
  end
  answers[topic + 1] = answer
end
return { string.format('%d', epoch), string.format('%d', offset), answers }
