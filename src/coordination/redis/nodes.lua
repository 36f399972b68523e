#!lua flags=allow-oom
-- What nodes say of themselves. Little is written, also to a Redis that is full: what is in the log can still be read there.
--
-- KEYS  1 hash: node -> when its record is over, in milliseconds since 1970, a space, and the record
-- ARGV  1 what is done: register, unregister, list; 2 the node; 3 its record; 4 milliseconds that it is good for
-- Answers, where it is to list, {node, record, …} of those that are not over; else nothing
local nodes, done, node = KEYS[1], ARGV[1], ARGV[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if done == 'unregister' then
  redis.call('HDEL', nodes, node)
  return {}
end
if done == 'register' then
  redis.call('HSET', nodes, node, string.format('%d %s', now + ARGV[4], ARGV[3]))
  -- Without a node there is no record, and none that nobody drops.
  if redis.call('PTTL', nodes) < tonumber(ARGV[4]) then redis.call('PEXPIRE', nodes, ARGV[4]) end
  return {}
end
local all, there = redis.call('HGETALL', nodes), {}
for i = 1, #all, 2 do
  local ends, record = all[i + 1]:match('^(%d+) (.*)$')
  if tonumber(ends) > now then
    there[#there + 1] = all[i]
    there[#there + 1] = record
  else
    redis.call('HDEL', nodes, all[i])
  end
end
return there
