-- Raises the fence of a source in one shard: only upwards.
--
-- KEYS  1 meta, 2 epochs
-- ARGV  1 candidate epoch, 2 shards of the log, 3 the field of the source, 4 the fence: `token:id`; empty: it is only asked for
-- Answers {the fence that stands then, the log's time}: the caller's fence, or one that is as high or higher; empty where there is none
enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
local time = string.format('%d', log_time(KEYS[1]))
local standing = redis.call('HGET', KEYS[1], ARGV[3])
if ARGV[4] == '' or (standing and tonumber(standing:match('^%d+')) >= tonumber(ARGV[4]:match('^%d+'))) then return { standing or '', time } end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
return { ARGV[4], time }
