-- Where a shard stands.
--
-- KEYS  1 meta, 2 epochs, 3 channel
-- ARGV  1 candidate epoch, 2 shards of the log
-- Answers {offset, epochs as 'epoch:start', shards that the log was made with}
local _, _, offset = enter(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return { string.format('%d', offset), redis.call('LRANGE', KEYS[2], 0, -1), redis.call('HGET', KEYS[1], 'shards') }
