#!lua flags=allow-oom
-- One step with a lease. Little is written, also to a Redis that is full.
--
-- KEYS  1 the lease: hash of holder and note, which ends with it; 2 its switch
-- ARGV  1 what is done: hold, look, release, end, on, off, forget; 2 the node; 3 its note; 4 milliseconds that it is held;
--       5 '1' where it may be had while nobody has switched it; 6 milliseconds that the switch is kept
-- Answers {holder, note, switch}, each empty where there is none
local lease, switch = KEYS[1], KEYS[2]
local done, node, kept = ARGV[1], ARGV[2], ARGV[6]
local holder = redis.call('HGET', lease, 'holder')

if (done == 'release' or done == 'end') and holder == node then
  redis.call('DEL', lease)
  holder = false
  if done == 'end' then done = 'off' end
end
if done == 'on' or done == 'off' then redis.call('SET', switch, done, 'PX', kept) end
if done == 'forget' then redis.call('DEL', switch) end

local switched = redis.call('GET', switch)
if switched then redis.call('PEXPIRE', switch, kept) end
if done == 'hold' and (not holder or holder == node) and (switched or (ARGV[5] == '1' and 'on')) == 'on' then
  redis.call('HSET', lease, 'holder', node, 'note', ARGV[3])
  redis.call('PEXPIRE', lease, ARGV[4])
  return { node, ARGV[3], switched or '' }
end
return { holder or '', holder and redis.call('HGET', lease, 'note') or '', switched or '' }
