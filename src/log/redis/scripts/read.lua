-- Reads messages of a topic after an offset or a sequence.
--
-- KEYS  1 meta, 2 epochs, 3 seq, 4 the topic's stream
-- ARGV  1 candidate epoch, 2 shards of the log, 3 topic, 4 'offset' or 'sequence', 5 the one to read after,
--       6 most entries
-- Answers {epoch, 'sequence,offset' of the last message or '', sequence of the first retained message or '',
--       entries}
local epoch = enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
local last = redis.call('HGET', KEYS[3], ARGV[3]) or ''
local oldest = redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)[1]
local first = oldest and oldest[1]:match('%-(%d+)$') or ''
local limit = tonumber(ARGV[6])
local entries = {}
if oldest and limit > 0 then
  if ARGV[4] == 'offset' then
    entries = redis.call('XRANGE', KEYS[4], string.format('%.0f', ARGV[5] + 1), '+', 'COUNT', limit)
  else
    -- Sequences have no gap, so the entries after a sequence are this many from the end.
    local newer = math.min(tonumber(last:match('^%d+')) - ARGV[5], redis.call('XLEN', KEYS[4]))
    if newer > 0 then
      local reversed = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', string.format('%d', newer))
      for i = #reversed, math.max(1, #reversed - limit + 1), -1 do entries[#entries + 1] = reversed[i] end
    end
  end
end
return { string.format('%d', epoch), last, first, entries }
