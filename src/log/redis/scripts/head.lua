-- Reads where a shard stands.
--
-- KEYS  1 meta, 2 epochs
-- ARGV  1 candidate epoch, 2 shards of the log, then the epochs that the caller has left. If the shard is in
--       one of them, this is an old master that the others have left behind, or one that has less than
--       before.
-- Answers {offset, epochs as 'epoch:start', number of shards that the log was made with}
local left = {}
for at = 3, #ARGV do left[ARGV[at]] = true end
local _, _, offset = enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2], left)
local epochs = redis.call('LRANGE', KEYS[2], 0, -1)
return { string.format('%d', offset), epochs, redis.call('HGET', KEYS[1], 'shards') }
