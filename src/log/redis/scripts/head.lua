-- Where a shard stands.
--
-- KEYS  1 meta, 2 epochs
-- ARGV  1 candidate epoch, 2 shards of the log, then the epochs that the caller has left: where the shard is in one of
--       them, this is an old master that others have gone on without, or one that has less than it had
-- Answers {offset, epochs as 'epoch:start', shards that the log was made with}
local left = {}
for at = 3, #ARGV do left[ARGV[at]] = true end
local _, _, offset = enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2], left)
return { string.format('%d', offset), redis.call('LRANGE', KEYS[2], 0, -1), redis.call('HGET', KEYS[1], 'shards') }
