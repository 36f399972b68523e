-- Raises the fence of a source in one shard, and never lowers it.
--
-- KEYS  1 meta, 2 epochs
-- ARGV  1 candidate epoch, 2 shards of the log, 3 the field of the source,
--       4 the fence as `token:id`; empty to read it only
-- Answers {the shard's fence after that, the log's time}. The fence is the caller's, or another of the same
--       or a higher token; empty if there is none
enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
local time = string.format('%d', log_time(KEYS[1]))
local standing = redis.call('HGET', KEYS[1], ARGV[3])
local function token_of (fence) return tonumber(fence:match('^%d+')) end
if ARGV[4] == '' or (standing and token_of(standing) >= token_of(ARGV[4])) then
  return { standing or '', time }
end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
return { ARGV[4], time }
