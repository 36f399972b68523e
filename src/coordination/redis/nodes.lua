#!lua flags=allow-oom
-- Keeps the records of nodes. It writes little, so it may write even if the memory of Redis is full: nodes
-- still serve reads of the log then.
--
-- KEYS  1 a hash: node -> when its record expires, in milliseconds since 1970, a space, and the record
-- ARGV  1 the step: register, unregister, list; 2 the node; 3 its record;
--       4 milliseconds until the record expires
-- Answers {node, record, …} of the records that have not expired, if the step is list; else nothing
local nodes, step, node = KEYS[1], ARGV[1], ARGV[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if step == 'unregister' then
  redis.call('HDEL', nodes, node)
  return {}
end
if step == 'register' then
  redis.call('HSET', nodes, node, string.format('%d %s', now + ARGV[4], ARGV[3]))
  -- The hash expires with its last record, so that nothing is left behind if all nodes are gone.
  if redis.call('PTTL', nodes) < tonumber(ARGV[4]) then redis.call('PEXPIRE', nodes, ARGV[4]) end
  return {}
end
local all, listed = redis.call('HGETALL', nodes), {}
for i = 1, #all, 2 do
  local ends, record = all[i + 1]:match('^(%d+) (.*)$')
  if tonumber(ends) > now then
    listed[#listed + 1] = all[i]
    listed[#listed + 1] = record
  else
    redis.call('HDEL', nodes, all[i])
  end
end
return listed
