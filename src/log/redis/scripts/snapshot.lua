-- Keeps a folded state, unless the key has a newer one or the state is not of the current epoch.
--
-- KEYS  1 meta, 2 epochs, 3 the topic's snapshot
-- ARGV  1 candidate epoch, 2 shards of the log, 3 epoch, 4 sequence, 5 offset, 6 time, 7 payload,
--       8 seconds to keep it, or empty: it never expires
local epoch, _, offset = enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
if tonumber(ARGV[3]) ~= epoch or tonumber(ARGV[5]) > offset then return 0 end
local known = redis.call('HMGET', KEYS[3], 'offset')
if known[1] and tonumber(known[1]) >= tonumber(ARGV[5]) and tonumber(known[1]) <= offset then return 0 end
redis.call('HSET', KEYS[3], 'sequence', ARGV[4], 'offset', ARGV[5], 'time', ARGV[6], 'payload', ARGV[7])
if ARGV[8] == '' then redis.call('PERSIST', KEYS[3]) else redis.call('EXPIRE', KEYS[3], ARGV[8]) end
return 1
